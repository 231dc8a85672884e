/**
 * What two hosts in one scenario cost beside the same hosts in scenarios of their own, in CPU time of
 * this process: `node test/bench/hosts.mjs [rounds]`, after `npm run build`. Once without a link and once
 * with one, where both hosts stay in one order of time. At most 15 % more is the aim.
 */
import { loadScenario, runScenario } from '../../dist/index.js';
import { cpuSeconds } from './measure.mjs';

const rounds = Number(process.argv[2] ?? 5);
const HOST = '{ processor: opteron-1354, memory: 1GiB }';
const vms = (host) => `
  - { name: web-${host}, ${host && `host: ${host}, `}count: 4, memory: 96MiB, workload: { kind: web-server } }
  - { name: hog-${host}, ${host && `host: ${host}, `}count: 4, memory: 96MiB, workload: { kind: tlb-thrash, pages: 3000 } }`;
const text = (hosts, list, links = '') => `name: hosts
duration: 60ms
warmup: 10ms
hosts: ${hosts}
${links}
hypervisor: { profile: kvm-2.6.33 }
vms:${list}
`;

async function cpu(...texts) {
  const scenarios = texts.map((one) => loadScenario(one, { file: 'hosts.yaml' }));
  const begin = cpuSeconds();
  for (const scenario of scenarios) await runScenario(scenario);
  return cpuSeconds() - begin;
}

const both = `{ a: ${HOST}, b: ${HOST} }`;
const kinds = {
  apart: [text(`{ a: ${HOST} }`, vms('a')), text(`{ b: ${HOST} }`, vms('b'))],
  together: [text(both, vms('a') + vms('b'))],
  linked: [text(both, vms('a') + vms('b'), 'links: [{ name: wire, between: [a, b] }]')],
};
const times = Object.fromEntries(Object.keys(kinds).map((name) => [name, []]));
for (let round = 0; round < rounds; round++) {
  for (const [name, texts] of Object.entries(kinds)) times[name].push(await cpu(...texts));
}
const least = (name) => Math.min(...times[name]);
for (const name of Object.keys(kinds)) {
  const more = (least(name) / least('apart') - 1) * 100;
  console.log(`${name.padEnd(9)} ${least(name).toFixed(2)} s  ${more.toFixed(1)} % more`);
}
