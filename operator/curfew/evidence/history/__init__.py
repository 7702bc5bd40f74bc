"""Judging promises P1, P2, P7 and P10 by what happened: the API server's audit log, the trail, and perhaps a watch of bindings.

One checker for each promise, each a pure function over what is known of one request (`Trace`). `MergedHistory` takes facts
in roughly the order of time and forgets requests that are over, so its memory does not grow with the logs. The same code
judges simulations, tests on real servers, and real logs (`curfew audit check`).
"""
