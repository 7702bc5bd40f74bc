"""Whatever anyone without the key does to a log, it is found; and what the log says of itself is found true."""

from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from curfew.audit.findings import Anchor
from curfew.audit.merkle import CompactRange, leaf_hash
from curfew.audit.places import in_order
from curfew.audit.segment import Head, follow, resume
from curfew.audit.verify import examine, verify
from tests.support.logs import BEGIN, ALog, a_log, a_record, a_signer
from tests.support.scale import times

sizes = st.lists(st.integers(0, 3), min_size=2, max_size=6)
relaxed = settings(max_examples=times(200), suppress_health_check=[HealthCheck.too_slow], deadline=None)


@relaxed
@given(sizes, st.data())
def test_what_is_lost_doubled_swapped_copied_or_altered_is_found(sizes: list[int], data: st.DataObject) -> None:
    log = a_log(*sizes)
    written = dict(log.objects)
    names = st.sampled_from(log.names)
    lies = dict(written)
    for _ in range(data.draw(st.integers(1, 3))):
        one, other = data.draw(names), data.draw(names)
        match data.draw(st.sampled_from(["lose", "double", "swap", "copy", "alter"])):
            case "lose":
                lies.pop(one, None)
            case "double":
                lies[f"{one.rpartition('-')[0]}-{'f' * 16}.jsonl.zst"] = written[one]
            case "swap":
                lies[one], lies[other] = written[other], written[one]
            case "copy":
                lies[one] = written[other]
            case "alter":
                index = data.draw(st.integers(0, len(written[one]) - 1))
                lies[one] = written[one][:index] + bytes([written[one][index] ^ 0x10]) + written[one][index + 1 :]
    assume(lies != written)
    # A log that was only cut off at its end looks whole, except to an anchor, which counts records and not segments.
    anchor = Anchor(log.head.range.size, log.head.range.root(), "the anchor")
    is_only_cut = list(lies.items()) == list(written.items())[: len(lies)]
    is_all_there = log.heads[min(len(lies), len(sizes))].range == log.head.range

    findings = examine("main", ((name, lies[name]) for name in in_order("main", lies)), log.verifier, [anchor]).findings

    assert findings or (is_only_cut and is_all_there)
    assert {finding.name for finding in findings} <= {*written, *lies, ""}


@relaxed
@given(sizes)
def test_each_segment_follows_and_can_be_resumed_from(sizes: list[int]) -> None:
    log = a_log(*sizes)
    head = Head.genesis("main")
    for (name, stored), expected in zip(log.objects.items(), log.heads[1:], strict=True):
        segment, head = follow(head, name, stored, log.verifier)

        assert head == expected
        assert resume(name, stored, log.verifier, "main") == (segment, head)


class Log(RuleBasedStateMachine):
    """A writer's life: it appends, its clock jumps, it crashes and recovers, rubbish lies in its way."""

    receipts = Bundle("receipts")

    def __init__(self) -> None:
        super().__init__()
        self.log = ALog(signer=a_signer())
        self.now = BEGIN
        self.count = 0
        self.lines: list[bytes] = []
        self.voided: list[str] = []

    @rule(target=receipts, size=st.integers(0, 3))
    def append(self, size: int) -> Any:
        """Seal a segment; each record in it gets a receipt."""
        records = [a_record(self.count + offset) for offset in range(size)]
        self.count += size
        self.lines += [record.line() for record in records]
        self.log.append(records, at=self.now)
        head = self.log.head.range
        return Anchor(head.size, head.root(), "a receipt")

    @rule(seconds=st.integers(-90_000, 90_000))
    def clock_jumps(self, seconds: int) -> None:
        """Forward, over midnight, or back."""
        self.now += timedelta(seconds=seconds)

    @rule()
    def recover(self) -> None:
        """Read the last segment alone, trusting its signature, and go on from it."""
        name = next(reversed(self.log.objects), None)
        if name is not None:
            _, self.log.heads[-1] = resume(name, self.log.objects[name], self.log.verifier, "main")

    @rule(rubbish=st.binary(max_size=40))
    def squat(self, rubbish: bytes) -> None:
        """Somebody who may write and not sign takes the next name; the writer notices and goes on after it."""
        name = self.log.head.next_name()
        self.voided.append(name)
        self.log.objects[name] = rubbish
        self.log.heads.append(self.log.head.voided(rubbish))
        self.log.append([], at=self.now)  # whose seal says that the place before it is void

    @rule(receipt=receipts)
    def receipts_agree(self, receipt: Anchor) -> None:
        """Each receipt is an anchor, for ever."""
        verified = verify("main", self.log.objects.items(), self.log.verifier, [receipt])
        assert verified.anchors == 1

    @invariant()
    def verifies(self) -> None:
        """At every moment the log verifies and holds what was appended, in order."""
        verified = verify("main", self.log.objects.items(), self.log.verifier)
        assert verified.head == self.log.head
        assert verified.records == self.count
        assert verified.voided == tuple(self.voided)
        assert verified.head.range == CompactRange().extended(map(leaf_hash, self.lines))


TestLog = Log.TestCase
TestLog.settings = settings(max_examples=times(100), stateful_step_count=15, deadline=None)
