"""Sends notifications through Apprise.

`routes` reads the file of routes. `manners` knows how text has to be written for each kind of channel, `layout` and `templates`
write it, and `sending` hands it to Apprise, in threads. `exchange` bounds what Apprise does with the network.
"""
