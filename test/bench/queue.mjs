/**
 * The hold model of event queues: `queue.mjs PENDING HOLDS` takes the next of PENDING events and schedules
 * another some time later, HOLDS times. Prints CPU seconds and a checksum of the order.
 */
import { EventQueue } from '../../dist/engine/event-queue.js';
import { cpuSeconds } from './measure.mjs';

const [pending, holds] = process.argv.slice(2).map(Number);

function run(n) {
  const queue = new EventQueue();
  let random = 1;
  let sum = 0;
  for (let id = 0; id < pending; id++) {
    random = (Math.imul(random, 1664525) + 1013904223) | 0;
    queue.push(random >>> 12, 0, 0, id);
  }
  for (let i = 0; i < n; i++) {
    queue.pop();
    sum = (Math.imul(sum, 31) + queue.target) | 0;
    random = (Math.imul(random, 1664525) + 1013904223) | 0;
    queue.push(queue.time + (random >>> 12), 0, 0, queue.target);
  }
  return sum;
}

run(1e6);
const begin = cpuSeconds();
const sum = run(holds);
console.log(JSON.stringify({ cpu: cpuSeconds() - begin, sum }));
