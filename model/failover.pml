/*
 * Failover: two replicas of the operator, two requests, one Lease, one log. SPIN tries every order of events.
 *
 *   spin -a failover.pml && cc -O2 -DSAFETY -DNOREDUCE -DHC4 -o pan pan.c && ./pan -m1000000
 *
 * finds no error. With -DWITHOUT=3 for spin it finds one, because rule 3 is left out; `spin -DWITHOUT=3 -t -p failover.pml`
 * then shows the way there. tests/simulation/test_failover_model.py does this for each rule.
 *
 * A replica only sends calls. A call lands at any time later, or never; its sender may have died or lost the Lease by then.
 * What it reads of a request is current when it decides, and may be old when its call lands. What its watch shows of bindings
 * may be old at any time. Both requests have all their approvals. Request 0 ends by the clock, request 1 is revoked.
 *
 * Judged:  P1   no binding is made after its end, and none that is over waits for a new leader
 *          P2   no binding without its announcement in the log
 *          P7   each record is in the log once; none is lost; nobody writes beside the leader
 *          P10  whatever fails, both requests come to the same end, and no grant ends before its time
 */

/* --- The rules. WITHOUT=n leaves out rule n, and a promise breaks. ------------------------------------------------------- */

#ifndef WITHOUT
#define WITHOUT 0
#endif
#define RECORD_FIRST   (WITHOUT != 1)   /* core/granting.py: the binding waits for the receipt of its announcement */
#define END_AHEAD      (WITHOUT != 2)   /* policy operator-containment: an end lies after the binding's creation */
#define EVERYBODY_ENDS (WITHOUT != 3)   /* processes/operator/removing.py: standbys end access as well */
#define UID            (WITHOUT != 4)   /* Cluster.delete_binding: deletes the binding that was seen, and no other */
#define VERSION        (WITHOUT != 5)   /* Cluster.patch_request_status: writes to the version that was read */
#define OUTBOX         (WITHOUT != 6)   /* core/outbox.py: the status that shows an act holds its record until it is durable */
#define CREATE_ONLY    (WITHOUT != 7)   /* ObjectStore.create: a name in the bucket is given once */
#define FENCE          (WITHOUT != 8)   /* trail: a new leader begins with a segment of its own */
#define LEASE          (WITHOUT != 9)   /* processes/operator/election.py: whoever leads asks again before each call */
#define READ_BACK      (WITHOUT != 10)  /* core/facts.py Read.BINDING: a binding is not called lost before it was asked for */
#define ADOPT          (WITHOUT != 11)  /* trail/placing.py: what another writer has appended is learnt before the next try */

/* --- How much goes wrong ------------------------------------------------------------------------------------------------ */

#ifndef CRASHES
#define CRASHES 1    /* times that a replica dies; each of its calls lands all the same, lands late, or is lost */
#endif
#ifndef LAPSES
#define LAPSES 0     /* times that a living leader loses the Lease: suspended, or cut off; its call lands before or after */
#endif
#ifndef LOSSES
#define LOSSES 0     /* calls or answers that are lost, and calls that land late, while the sender lives */
#endif

#ifdef PATIENT
#define HASTE timeout /* a Lease runs out, and a process starts anew, only when nothing else has happened for long */
#else
#define HASTE true
#endif

/* --- The world ---------------------------------------------------------------------------------------------------------- */

#define NOBODY 2
#define INTENDED 1   /* records: bits of a set */
#define ACTIVATED 2
#define ENDED 4

mtype:phase = { Pending, Active, Over };
mtype:call = { NONE, POST, DELETE, PATCH, PUT };

typedef Call {
  mtype:call kind = NONE;
  byte about;            /* which request */
  byte binding;          /* DELETE: the UID that was seen */
  byte version;          /* PATCH: the version that was read, and what is to be stored */
  mtype:phase phase;
  byte outbox;
  byte place;            /* PUT: the segment's place in the log, its records, and who wrote it */
  byte records[2];
  byte writer
}

typedef Request {        /* as the API server has it */
  byte version;
  mtype:phase phase = Pending;
  bool revoked;
  byte outbox;
  byte binding           /* UID of its binding; 0: there is none */
}

typedef Replica {
  bool up = true;
  bool leads;            /* by its own clock: the Lease was renewed lately enough */
  bool begun;            /* it has read the log, and its own segment is the last */
  byte head;             /* the next place in the log, as far as it knows */
  byte known[2];         /* the records that it knows to be in the log */
  byte queue[2];         /* only without OUTBOX: records that are nowhere but in its memory */
  bool owns[2];          /* its DELETE was answered: the record of the end is its to tell */
  byte saw[2];           /* the bindings that its watch has shown */
  Call call              /* on its way to the API server or the bucket */
}

Request stored[2];
byte log[2];             /* the records in the bucket, by request */
byte end_of_log;         /* the next free place */
Replica replica[3];      /* the third is nobody: its calls are those that their senders have given up */
byte holder = NOBODY;    /* of the Lease */
bool noon;               /* request 0 is past its end */
byte uids = 1, crashes = CRASHES, lapses = LAPSES, losses = LOSSES;

#define me replica[i]
#define seen replica[i].saw[r]
#define request stored[r]
#define mine replica[i].call
#define acts (me.begun && (me.leads || !LEASE))
#define due (request.revoked || (r == 0 && noon))

/* --- What a call does when it lands. `answered`: its sender hears of it. ------------------------------------------------ */

inline clear() { mine.kind = NONE; mine.about = 0; mine.binding = 0; mine.version = 0; mine.phase = 0; mine.outbox = 0;
  mine.place = 0; mine.records[0] = 0; mine.records[1] = 0; mine.writer = 0 }

inline land_put(answered) {
  if
  :: mine.place == end_of_log || !CREATE_ONLY ->
    assert(mine.place == end_of_log);                  /* P7: nothing is replaced */
    assert(!(log[0] & mine.records[0]) && !(log[1] & mine.records[1]));   /* P7: nothing is there twice */
    assert(!(replica[1 - mine.writer].leads && replica[1 - mine.writer].begun));   /* P7: nobody writes beside the leader */
    log[0] = log[0] | mine.records[0];
    log[1] = log[1] | mine.records[1];
    end_of_log++;
    if
    :: answered -> me.head = mine.place + 1; me.begun = me.leads || !LEASE;
      me.known[0] = me.known[0] | mine.records[0]; me.known[1] = me.known[1] | mine.records[1];
      me.queue[0] = me.queue[0] & ~mine.records[0]; me.queue[1] = me.queue[1] & ~mine.records[1]
    :: else
    fi
  :: else ->                                        /* ObjectExists: follow the log to its end */
    if
    :: answered -> me.head = end_of_log;
      if :: ADOPT -> me.known[0] = log[0]; me.known[1] = log[1] :: else fi
    :: else
    fi
  fi
}

inline land(answered) {
  if
  :: mine.kind == POST ->
    if
    :: request.binding != 0                       /* AlreadyExists */
    :: request.binding == 0 && r == 0 && noon && END_AHEAD   /* refused */
    :: else ->
      assert(log[r] & INTENDED);                    /* P2 */
      assert(!(r == 0 && noon));                    /* P1: not born dead */
      uids++;
      request.binding = uids
    fi;
    if :: answered -> seen = request.binding :: else fi
  :: mine.kind == DELETE ->
    if
    :: request.binding != 0 && (request.binding == mine.binding || !UID) ->
      assert(due || request.phase == Over || !(log[r] & INTENDED) || request.binding == 1);   /* P10 */
      request.binding = 0;
      if :: answered -> me.owns[r] = (mine.binding != 1) :: else fi
    :: else                                         /* not there, or another: nothing to tell */
    fi;
    if :: answered -> seen = request.binding :: else fi
  :: mine.kind == PATCH ->
    if
    :: (mine.version == request.version || !VERSION) && !(request.phase == Over && mine.phase != Over) ->
      assert(((request.outbox & ~mine.outbox) & ~log[r]) == 0);                      /* P7: none is lost */
      assert(mine.phase != Over || request.binding == 0 || due || request.phase == Over);   /* P10 */
      if
      :: answered && !OUTBOX && mine.phase != request.phase ->
        me.queue[r] = me.queue[r] | (mine.phase == Active -> ACTIVATED : ENDED)
      :: else
      fi;
      request.phase = mine.phase;
      request.outbox = mine.outbox;
      request.version++
    :: else                                         /* Conflict, or the phase cannot be rewound */
    fi;
    if :: request.phase == Over -> replica[0].owns[r] = false; replica[1].owns[r] = false :: else fi
  :: mine.kind == PUT -> land_put(answered)
  fi;
  clear()
}

/* --- What a replica does about one request: processes/operator/reconciler.py. ------------------------------------------- */

inline send_patch(to, box) { mine.kind = PATCH; mine.about = r; mine.version = request.version; mine.phase = to;
  mine.outbox = (OUTBOX -> (box) & ~me.known[r] : 0) }

#define idle (me.up && mine.kind == NONE)
#define end_of_story (ENDED | (request.phase == Pending -> ACTIVATED : 0))
#define is_grant (seen > 1 && (me.known[r] & INTENDED))   /* the receipt on it is in the log */

proctype Work(byte i; byte r) {
  do
  /* A watch shows what there is, some time. */
  :: d_step { idle && seen != request.binding -> seen = request.binding }
  /* End what is over; whoever sees it. */
  :: d_step { idle && seen != 0 && (due || request.phase == Over) && (EVERYBODY_ENDS || acts) ->
       mine.kind = DELETE; mine.about = r; mine.binding = seen }
  /* Whoever got the answer to the DELETE tells of it. */
  :: d_step { idle && seen == 0 && request.phase != Over && me.owns[r] ->
       send_patch(Over, request.outbox | end_of_story) }
  /* The rest is for the leader. End what nobody announced: only the leader knows that. */
  :: d_step { idle && acts && seen != 0 && !is_grant ->
       mine.kind = DELETE; mine.about = r; mine.binding = seen }
  /* Grant what is announced. */
  :: d_step { idle && acts && seen == 0 && request.phase == Pending && !due &&
              ((me.known[r] & INTENDED) || !RECORD_FIRST) -> mine.kind = POST; mine.about = r }
  :: d_step { idle && acts && is_grant && request.phase == Pending && !due ->
       send_patch(Active, request.outbox | ACTIVATED) }
  /* It is over, or the binding is lost, and whoever ended it told nobody. */
  :: d_step { idle && acts && !me.owns[r] && seen == 0 && (request.binding == 0 || !READ_BACK) &&
              (request.phase == Active || (request.phase == Pending && due)) -> send_patch(Over, request.outbox | ENDED) }
  /* What is durable leaves the outbox. */
  :: d_step { idle && acts && request.phase == Over && (request.outbox & me.known[r]) ->
       send_patch(Over, request.outbox) }
  od
}

/* --- What it does about the log and the Lease: trail/appender.py, processes/operator/election.py. ------------------------ */

#define is_due(r) (stored[r].revoked || (r == 0 && noon))
#define intent(r) (stored[r].phase == Pending && me.saw[r] == 0 && !is_due(r) -> INTENDED : 0)
#define end(r) (OUTBOX && me.owns[r] && stored[r].phase != Over -> ENDED | (stored[r].phase == Pending -> ACTIVATED : 0) : 0)
#define wanted(r) (intent(r) | end(r) | stored[r].outbox | me.queue[r])
#define unwritten(r) (wanted(r) & ~me.known[r])

proctype Write(byte i) {
  do
  :: d_step { me.up && holder == NOBODY ->          /* win, and read the log */
       holder = i; me.leads = true; me.begun = !FENCE;
       me.head = end_of_log; me.known[0] = log[0]; me.known[1] = log[1] }
  :: d_step { me.up && me.leads && !me.begun && mine.kind == NONE ->   /* the fence */
       mine.kind = PUT; mine.writer = i; mine.place = me.head }
  :: d_step { me.up && acts && mine.kind == NONE && (unwritten(0) || unwritten(1)) ->
       mine.kind = PUT; mine.writer = i; mine.place = me.head; mine.records[0] = unwritten(0); mine.records[1] = unwritten(1) }
  :: d_step { me.up && me.begun && !me.leads && holder == 1 - i -> me.begun = false }   /* without LEASE: it notices late */
  od
}

/* --- What happens around them ------------------------------------------------------------------------------------------- */

inline die() {
  me.up = false; me.leads = false; me.begun = false; me.head = 0;
  me.known[0] = 0; me.known[1] = 0; me.queue[0] = 0; me.queue[1] = 0; me.owns[0] = false; me.owns[1] = false
}

/* A call lands, or it does not, or it is given up and lands when its sender does something else. */
#define given_up replica[NOBODY].call
#define loss (!me.up || losses > 0) -> if :: me.up -> losses-- :: else fi

proctype Network(byte i) {
  byte r;
  do
  :: d_step { mine.kind != NONE && me.up -> r = mine.about; land(true); r = 0 }
  :: d_step { mine.kind != NONE && loss; r = mine.about; land(false); r = 0 }
  :: d_step { mine.kind != NONE && loss; clear() }
  :: d_step { mine.kind != NONE && given_up.kind == NONE && me.up && losses > 0 ->
       losses--;
       given_up.kind = mine.kind; given_up.about = mine.about; given_up.binding = mine.binding; given_up.version = mine.version;
       given_up.phase = mine.phase; given_up.outbox = mine.outbox; given_up.place = mine.place; given_up.writer = mine.writer;
       given_up.records[0] = mine.records[0]; given_up.records[1] = mine.records[1]; clear() }
  od
}

/* A process dies anywhere, and another is started in its place. */
proctype Machine(byte i) {
  do
  :: atomic { me.up && crashes > 0 -> crashes--; die() }
  :: atomic { !me.up && HASTE && holder != i && mine.kind == NONE -> me.up = true }
  :: atomic { holder == i && !me.leads && HASTE -> holder = NOBODY }      /* nobody renews the Lease */
  :: atomic { me.leads && lapses > 0 && HASTE ->                           /* suspended, or cut off */
       lapses--; holder = NOBODY; me.leads = false;
       if :: LEASE -> me.begun = false; me.head = 0; me.known[0] = 0; me.known[1] = 0 :: else fi }
  od
}

proctype Time() { atomic { !noon -> noon = true } }

proctype Approver() { atomic { !stored[1].revoked -> stored[1].revoked = true; stored[1].version++ } }

#define gone(n) (stored[n].binding == 0)
#define told(n) (stored[n].phase == Over && stored[n].outbox == 0 && (log[n] & ENDED))

/* When nothing moves any more. */
proctype Judge() {
end_of_all:
  do
  :: atomic { timeout ->
       assert(!(replica[0].up || replica[1].up) || ((gone(0) || !noon) && (gone(1) || !stored[1].revoked)));   /* P1 */
       assert(!(replica[0].begun && replica[0].leads || replica[1].begun && replica[1].leads) ||
              (gone(0) && gone(1) && told(0) && told(1))) }                                                    /* P7, P10 */
  od
}

init {
  atomic {
    holder = 0; replica[0].leads = true; replica[0].begun = true;
    replica[NOBODY].up = false;
#ifdef RESTORED
    stored[1].binding = 1; replica[0].saw[1] = 1; replica[1].saw[1] = 1;
#endif
    run Work(0, 0); run Work(0, 1); run Work(1, 0); run Work(1, 1); run Write(0); run Write(1);
    run Network(0); run Network(1); run Network(NOBODY);
    run Machine(0); run Machine(1); run Time(); run Approver(); run Judge()
  }
}
