"""The threads that run blocks, and how many there are.

A job is a function and a number of blocks. The caller and each worker have a part of them, the same
of every job, so that what a thread has read or written before is in caches of its own; who is done
takes from the others' parts. Whoever finds the pool busy runs its blocks alone. Which thread runs a
block makes no difference to its result, and the blocks do not depend on the number of threads.
"""

from __future__ import annotations

import ctypes
import os
from typing import Any

VARIABLE = "TRACER_NUM_THREADS"

PARTS = 256
"""Parts of a job, at most: of more threads, some begin with another's."""

STATE = f"""
@lock = global [64 x i8] zeroinitializer, align 64
@wake = global [64 x i8] zeroinitializer, align 64
@done = global [64 x i8] zeroinitializer, align 64
@next = global [{PARTS} x [8 x i64]] zeroinitializer, align 64
@parts = global i64 1
@task = global ptr null
@context = global ptr null
@blocks = global i64 0
@workers = global i64 0
@wanted = global i64 0
"""
"""A mutex, two semaphores, how many blocks of each part were taken, how many parts there are, the
job, and how many workers there are and should be."""

TRIES = 128
"""How often a semaphore is tried before a thread goes to sleep at it: some 50 microseconds, what
sleeping and waking take, so that jobs in quick succession find the workers awake. Between two tries
it lets others run, as those of the BLAS, which may have been woken on the same core."""

WAIT = f"""
define internal i32 @patient_wait(ptr %semaphore) nounwind {{
entry:
  br label %try
try:
  %n = phi i64 [ 0, %entry ], [ %following, %again ]
  %failed = call i32 @sem_trywait(ptr %semaphore)
  %here = icmp eq i32 %failed, 0
  br i1 %here, label %found, label %again
again:
  call i32 @sched_yield()
  %following = add i64 %n, 1
  %more = icmp slt i64 %following, {TRIES}
  br i1 %more, label %try, label %sleep
sleep:
  %slept = call i32 @sem_wait(ptr %semaphore)
  ret i32 %slept
found:
  ret i32 0
}}
"""

RUN = """
define internal void @run(i64 %own) nounwind {
entry:
  %task = load ptr, ptr @task
  %context = load ptr, ptr @context
  %blocks = load i64, ptr @blocks
  %parts = load i64, ptr @parts
  br label %part
part:
  %turn = phi i64 [ 0, %entry ], [ %following, %over ]
  %whose = add i64 %own, %turn
  %n = urem i64 %whose, %parts
  %taken = getelementptr [8 x i64], ptr @next, i64 %n
  %from = mul i64 %n, %blocks
  %to = add i64 %from, %blocks
  %low = udiv i64 %from, %parts
  %high = udiv i64 %to, %parts
  br label %again
again:
  %step = atomicrmw add ptr %taken, i64 1 acq_rel
  %block = add i64 %low, %step
  %left = icmp slt i64 %block, %high
  br i1 %left, label %work, label %over
work:
  call void %task(ptr %context, i64 %block)
  br label %again
over:
  %following = add i64 %turn, 1
  %more = icmp slt i64 %following, %parts
  br i1 %more, label %part, label %done
done:
  ret void
}

define internal ptr @worker(ptr %number) nounwind {
entry:
  %who = ptrtoint ptr %number to i64
  %signals = alloca [128 x i8], align 16
  call i32 @sigfillset(ptr %signals)
  call i32 @pthread_sigmask(i32 2, ptr %signals, ptr null)
  br label %wait
wait:
  %failed = call i32 @patient_wait(ptr @wake)
  %woken = icmp eq i32 %failed, 0
  br i1 %woken, label %work, label %wait
work:
  %parts = load i64, ptr @parts
  %others = sub i64 %parts, 1
  %n = urem i64 %who, %others
  %part = add i64 %n, 1
  call void @run(i64 %part)
  call i32 @sem_post(ptr @done)
  br label %wait
}
"""
"""Take blocks until none is left, first of one's own part; a worker does so whenever woken."""

SHARE = f"""
define void @share(ptr %task, ptr %context, i64 %blocks) nounwind {{
entry:
  %wanted = load atomic i64, ptr @wanted monotonic, align 8
  %none = icmp slt i64 %wanted, 1
  br i1 %none, label %alone, label %try
try:
  %busy = call i32 @pthread_mutex_trylock(ptr @lock)
  %free = icmp eq i32 %busy, 0
  br i1 %free, label %grow, label %alone

alone:
  br label %next_alone
next_alone:
  %n = phi i64 [ 0, %alone ], [ %following, %one ]
  %more = icmp slt i64 %n, %blocks
  br i1 %more, label %one, label %over
one:
  call void %task(ptr %context, i64 %n)
  %following = add i64 %n, 1
  br label %next_alone
over:
  ret void

grow:
  %have = load i64, ptr @workers
  %short = icmp slt i64 %have, %wanted
  br i1 %short, label %create, label %start
create:
  %thread = alloca i64
  %number = inttoptr i64 %have to ptr
  %refused = call i32 @pthread_create(ptr %thread, ptr null, ptr @worker, ptr %number)
  %made = icmp eq i32 %refused, 0
  br i1 %made, label %count, label %start
count:
  %id = load i64, ptr %thread
  call i32 @pthread_detach(i64 %id)
  %larger = add i64 %have, 1
  store i64 %larger, ptr @workers
  br label %grow

start:
  store ptr %task, ptr @task
  store ptr %context, ptr @context
  store i64 %blocks, ptr @blocks
  %workers = load i64, ptr @workers
  %helpers = call i64 @llvm.smin.i64(i64 %workers, i64 %wanted)
  %threads = add i64 %helpers, 1
  %parts = call i64 @llvm.smin.i64(i64 %threads, i64 {PARTS})
  store i64 %parts, ptr @parts
  br label %clear
clear:
  %p = phi i64 [ 0, %start ], [ %p1, %clear ]
  %taken = getelementptr [8 x i64], ptr @next, i64 %p
  store atomic i64 0, ptr %taken release, align 8
  %p1 = add i64 %p, 1
  %uncleared = icmp slt i64 %p1, %parts
  br i1 %uncleared, label %clear, label %waking
waking:
  %w = phi i64 [ 0, %clear ], [ %w1, %wakes ]
  %asleep = icmp slt i64 %w, %helpers
  br i1 %asleep, label %wakes, label %working
wakes:
  call i32 @sem_post(ptr @wake)
  %w1 = add i64 %w, 1
  br label %waking
working:
  call void @run(i64 0)
  br label %finishing
finishing:
  %waits = phi i64 [ %helpers, %working ], [ %fewer, %finished ]
  %open = icmp sgt i64 %waits, 0
  br i1 %open, label %recall, label %unlock
recall:
  %late = call i32 @sem_trywait(ptr @wake)
  %recalled = icmp eq i32 %late, 0
  br i1 %recalled, label %finished, label %await
await:
  %interrupted = call i32 @patient_wait(ptr @done)
  %answered = icmp eq i32 %interrupted, 0
  br i1 %answered, label %finished, label %await
finished:
  %fewer = sub i64 %waits, 1
  br label %finishing
unlock:
  call i32 @pthread_mutex_unlock(ptr @lock)
  ret void
}}
"""
"""Share a job's blocks out: start what workers are missing, wake them, help, and wait for them; a
worker that has not woken when nothing is left is told to sleep on."""

LONE = """
define i32 @lone(ptr %arguments, ptr %results, ptr %workspace, ptr %region) nounwind {
  %context = alloca [3 x ptr]
  %second = getelementptr ptr, ptr %context, i64 1
  %third = getelementptr ptr, ptr %context, i64 2
  store ptr %arguments, ptr %context
  store ptr %results, ptr %second
  store ptr %workspace, ptr %third
  %task = load ptr, ptr %region
  %count = getelementptr i64, ptr %region, i64 1
  %blocks = load i64, ptr %count
  call void @share(ptr %task, ptr %context, i64 %blocks)
  ret i32 0
}
"""
"""The ``main`` of every program that is one region: of its task, and of how many blocks."""

FUNCTIONS = (
    "pthread_create", "pthread_detach", "pthread_mutex_trylock", "pthread_mutex_unlock",
    "pthread_sigmask", "sched_yield", "sem_init", "sem_post", "sem_trywait", "sem_wait",
    "sigfillset",
)  # fmt: skip

DECLARATIONS = """
declare i32 @pthread_create(ptr, ptr, ptr, ptr)
declare i32 @pthread_detach(i64)
declare i32 @pthread_mutex_trylock(ptr)
declare i32 @pthread_mutex_unlock(ptr)
declare i32 @pthread_sigmask(i32, ptr, ptr)
declare i32 @sched_yield()
declare i32 @sem_init(ptr, i32, i32)
declare i32 @sem_post(ptr)
declare i32 @sem_trywait(ptr)
declare i32 @sem_wait(ptr)
declare i32 @sigfillset(ptr)
declare i64 @llvm.smin.i64(i64, i64)
define void @reset() nounwind {
  call i32 @sem_init(ptr @wake, i32 0, i32 0)
  call i32 @sem_init(ptr @done, i32 0, i32 0)
  store i64 0, ptr @workers
  store [64 x i8] zeroinitializer, ptr @lock
  ret void
}
"""

TEXT = STATE + WAIT + RUN + SHARE + LONE + DECLARATIONS
EXPORTS = ("share", "lone", "reset", "wanted")
POOL: list[Any] = []
"""The pool's code, once it is made: it stays for the life of the process."""

CHOSEN: list[int] = []
"""How many threads ``set_num_threads`` asked for."""


def get_num_threads() -> int:
    """How many threads compiled code uses: as set, else by TRACER_NUM_THREADS, else all cores.

    >>> import tracer
    >>> tracer.get_num_threads() >= 1
    True
    """
    if CHOSEN:
        return CHOSEN[-1]
    return int(os.environ.get(VARIABLE) or len(os.sched_getaffinity(0)))


def set_num_threads(n: int) -> None:
    """Let compiled code use ``n`` threads, the calling one included; results do not change.

    Raises ValueError unless n is at least 1.

    >>> import tracer
    >>> tracer.set_num_threads(tracer.get_num_threads())
    """
    if n < 1:
        raise ValueError(f"set_num_threads: {n} threads cannot compute; at least 1 can.")
    CHOSEN[:] = [n]
    if POOL:
        ctypes.c_int64.from_address(POOL[0]["wanted"]).value = n - 1


def start(addresses: dict[str, int], code: Any) -> None:
    """Set the pool up when its code is in memory."""
    POOL[:] = [addresses, code]
    reset = ctypes.CFUNCTYPE(None)(addresses["reset"])
    reset()
    ctypes.c_int64.from_address(addresses["wanted"]).value = get_num_threads() - 1
    os.register_at_fork(after_in_child=reset)
