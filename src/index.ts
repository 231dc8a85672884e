/**
 * The public surface of the package: all of `worldswitch/core`, and results as CSV. Nothing here
 * touches disk, clock or terminal.
 */
export * from './core.ts';
export {
  dictionaryCsv,
  evictionsCsv,
  exitsCsv,
  latenciesCsv,
  ledgerCsv,
  metricsCsv,
  runTables,
  slicesCsv,
  timeseriesCsv,
  vmsCsv,
} from './tables/csv.ts';
