import type { Case } from '../case.ts';
import { trapEveryWrite } from './adams-agesen.ts';
import {
  cachingGains,
  entriesInL2,
  nestedSlowdown,
  uncachedWalks,
  walkCaches,
} from './bhargava.ts';
import { pingOverCheckpoints, remusCompile } from './checkpoints.ts';
import { idleLog, recordAndReplay } from './fault-tolerance.ts';
import { exitCounts, kernelCompile, populate, processCreation } from './kernel-work.ts';
import {
  agileSplit,
  fillAndSteady,
  largePages,
  randomAccess,
  walkRatios,
} from './large-footprints.ts';
import { fasterLink, lostLargePages, webServerMoves } from './migration.ts';
import { oltp, rviBounds } from './opterons.ts';
import { builds, database, java, shells, web } from './rvi.ts';
import { boostOnWakeUp, rateLimit, sliceLength } from './scheduling.ts';
import { crossover, winners } from './shsp.ts';
import { protectedPing, protectedReads, protectedStreams } from './streams.ts';
import { dearerMisses, recycling, tagGain, twoContexts } from './tags.ts';

export const cases: readonly Case[] = [
  uncachedWalks,
  nestedSlowdown,
  cachingGains,
  walkCaches,
  entriesInL2,
  randomAccess,
  walkRatios,
  largePages,
  crossover,
  winners,
  agileSplit,
  processCreation,
  populate,
  kernelCompile,
  trapEveryWrite,
  oltp,
  rviBounds,
  builds,
  database,
  java,
  web,
  shells,
  fillAndSteady,
  tagGain,
  twoContexts,
  dearerMisses,
  recycling,
  sliceLength,
  boostOnWakeUp,
  rateLimit,
  exitCounts,
  recordAndReplay,
  idleLog,
  remusCompile,
  pingOverCheckpoints,
  protectedStreams,
  protectedReads,
  protectedPing,
  webServerMoves,
  fasterLink,
  lostLargePages,
];
