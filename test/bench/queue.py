"""The hold model of queue.mjs with SimPy: queue.py PENDING HOLDS. Each pending event is a sleeping process."""

import json
import sys
import time

import simpy

pending, holds = int(sys.argv[1]), int(sys.argv[2])
state = 1


def draw():
    global state
    state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
    return state >> 12


delays = [draw() for _ in range(65536)]


def sleeper(env, number):
    while True:
        number = (number + 7919) & 65535
        yield env.timeout(delays[number])


env = simpy.Environment()
for number in range(pending):
    env.process(sleeper(env, number))
for _ in range(2 * pending):
    env.step()
begin = time.process_time()
for _ in range(holds):
    env.step()
print(json.dumps({"cpu": time.process_time() - begin, "version": simpy.__version__}))
