/**
 * Writes the state of a simulation at the end of its warm-up for twin.cpp: page tables, contents of TLBs,
 * walk caches and caches, loss records, and where the generator of visits stands. Then finishes the run and
 * returns the counts of the measured window, which the twin must reach too.
 */
import { writeFileSync } from 'node:fs';
import { REGION } from '../../dist/guest/workloads/mix.js';
import { hotCounters } from '../../dist/machine/counters.js';
import {
  FLAGS,
  FRAME,
  KEY,
  OWNER_SHIFT,
  PREV,
  ROW0,
  ROW1,
  ROW2,
  ROW3,
  SEQ,
  SLOT,
  TAG,
} from '../../dist/machine/entries.js';
import { heap } from '../../dist/machine/heap.js';
import { readItem } from '../../dist/machine/items.js';
import { channelWords } from '../../dist/machine/memory-channel.js';
import { occupied } from '../../dist/machine/walk-cache.js';
import { buildSimulation, disposeOf } from '../../dist/scenario/build.js';
import { loadScenario } from '../../dist/scenario/load.js';
import { leafNames } from '../../dist/stats/leaves.js';

/** Place of the table of lines among the words of a region. */
const LAW = 5;

export function exportWorld(yaml, file) {
  const scenario = loadScenario(yaml, { file: 'bench.yaml' });
  const simulation = buildSimulation(scenario);
  const { engine } = simulation;
  try {
    engine.run(scenario.warmup);
    const start = accounts(simulation);
    const sections = worldOf(simulation).map((words) => Int32Array.from(words));
    engine.run(scenario.duration);
    const counts = accounts(simulation);
    for (const name of Object.keys(counts)) counts[name] -= start[name];
    // Said by others of the counts, or kept by the guest kernel.
    for (const name of ['user_instructions', 'l1d_lookups', 'work']) delete counts[name];
    sections[0][0] = counts.visits;
    writeFileSync(file, Buffer.concat(sections.map(sectionBytes)));
    return counts;
  } finally {
    disposeOf(simulation);
  }
}

/** What the VM has counted and been charged so far, up to the end of the visit under way. */
function accounts({ hosts }) {
  const { hypervisor, machine } = hosts[0];
  const { ledger, vms } = hypervisor;
  ledger.drain(machine.cores[0]);
  const names = leafNames.map(({ leaf, detail }) => (detail === '' ? leaf : `${leaf}.${detail}`));
  return {
    ...vms[0].counters,
    ...Object.fromEntries(hotCounters.map((name, k) => [name, ledger.counts[k]])),
    ...Object.fromEntries(names.map((name, leaf) => [name, ledger.of(0)[leaf]])),
  };
}

function sectionBytes(words) {
  const bytes = Buffer.alloc(4 * (words.length + 1));
  bytes.writeInt32LE(words.length, 0);
  Buffer.from(words.buffer).copy(bytes, 4);
  return bytes;
}

function worldOf({ hosts, scenario, members }) {
  const { machine } = hosts[0];
  const [core] = machine.cores;
  const { processor, tables, memory } = machine;
  const { caches } = core;
  const { l1i, l1d } = caches;
  const mixer = members[0].workload.processes[0].programs[0].options.mixer;
  const { vcpu } = core;
  const nodes = tables.count + 1;
  const parameters = [
    0, // visits, filled in at the end
    scenario.hosts[0].dataLines ? 1 : 0,
    core.nestedOn,
    core.asid,
    core.vcpu,
    core.vm,
    core.root,
    core.nestedRoot,
    core.frameBase,
    core.cpiQ8,
    core.cpiCarry,
    core.exposedQ8,
    core.exposedInRowQ8,
    processor.tlb.l2HitCycles,
    processor.walk.overheadCycles,
    processor.walk.pwcHitCycles,
    processor.walk.nestedTlbHitCycles,
    core.walker.pwcNestedLeaves,
    caches.walksAtL1,
    ...[l1i.length / l1i.apart, l1i.setMask, l1i.apart],
    ...[l1d.length / l1d.apart, l1d.setMask, l1d.apart, caches.l1dCycles],
    caches.exclusive,
    caches.swaps,
    ...[caches.l2Ways, caches.l2SetMask, caches.l2Cycles],
    ...[caches.l3Ways, caches.l3SetMask, caches.l3Cycles],
    caches.framesPerNode,
    caches.pieceMask,
    caches.linesPerPiece,
    heap[core.loss.sequences + vcpu * 2],
    mixer.position,
    // 64 bits of time.
    Math.floor(core.time / 2 ** 32),
    (core.time % 2 ** 32) | 0,
  ];
  const visits = [];
  for (let at = core.item; at < core.itemEnd; at++) {
    const item = readItem(at);
    if ((item[1] & 255) < 8) visits.push(...item);
  }
  // Data side only: the streams fetch nothing.
  const { arrays, first, end } = core.tlb.sides[1];
  return [
    parameters,
    tables.entries.slice(0, nodes << 9),
    tables.frame.slice(0, nodes),
    tables.mirror.slice(0, nodes),
    core.loss.data.slice(0, nodes << 9),
    arrays.map((array) => (array === null ? -1 : arrays.indexOf(array))),
    ...arrays.map((array, i) => (array === null ? [] : contents(array, i < 3 ? 0 : end - first))),
    walkCache(core.walker.pwc),
    walkCache(core.walker.ntlb),
    words(l1i.tags, l1i.length),
    words(l1d.tags, l1d.length),
    words(caches.l2Newest, (caches.l2SetMask + 1) * caches.l2Ways),
    caches.l3Tags === 0 ? [] : words(caches.l3Tags, (caches.l3SetMask + 1) * caches.l3Ways),
    words(caches.channels, channelWords(caches.nodes, caches.pieceMask + 1)),
    caches.nodes === 1 ? [caches.dramCycles] : caches.dramByNode,
    memory.lineState,
    memory.owner,
    regionWords(mixer),
    mixer.mix.schedule.heads,
    mixer.mix.schedule.sizes,
    mixer.mix.tables[0],
    mixer.mix.laws.flatMap(({ table }) => [...table]),
    mixer.random,
    visits,
  ];
}

/** The regions, with the place of the table of their lines among those of this mix. */
function regionWords({ words, mix }) {
  const out = words.slice();
  for (const [i, { table }] of mix.laws.entries()) out[i * REGION + LAW] = i * table.length;
  return out;
}

const words = (at, count) => heap.slice(at, at + count);

const PTE_FLAGS = 0x7f;

/** Entries, sets, then the live entries of each set from the oldest to the newest; `link` is that of the level. */
function contents({ entries, sets, at, inRows }, link) {
  const out = [entries, sets];
  for (let set = at; set < at + sets; set++) {
    const held = inRows ? inRow(set) : inList(set, link);
    for (const e of held) {
      const flags = (FLAGS[e] & PTE_FLAGS) | ((FLAGS[e] >>> OWNER_SHIFT) << 8);
      out.push(KEY[e], TAG[e], FRAME[e], flags, SLOT[e], SEQ[e]);
    }
  }
  return out;
}

function inRow(row) {
  return [ROW3, ROW2, ROW1, ROW0].map((word) => word[row]).filter((e) => e !== 0);
}

function inList(home, link) {
  const held = [];
  for (let at = PREV[home]; at !== home; at = PREV[at]) held.push(at - link);
  return held;
}

/** Entries, sets (one), then the live entries from the oldest to the newest, as `contents`. */
function walkCache(cache) {
  const { first, end } = cache;
  if (first === 0) return [];
  const out = [end - first, 1];
  for (const e of occupied(cache)) out.push(KEY[e], TAG[e], FRAME[e], 0, 0, 0);
  return out;
}
