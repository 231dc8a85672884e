import type { Case } from '../case.ts';
import { nestedSlowdown, uncachedWalks, walkCaches } from './bhargava.ts';

export const cases: readonly Case[] = [uncachedWalks, nestedSlowdown, walkCaches];
