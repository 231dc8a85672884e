import type { RunFiles } from '../../files/results.ts';
import { type MetricName, metricDictionary } from '../../stats/metrics.ts';
import { type AnswerFacts, type RunAnswer, runAnswer } from '../answer.ts';
import { rescaled } from './run-ledger.ts';

const names = Object.keys(metricDictionary) as MetricName[];

/** What the tables of a run say in a sentence and at most four numbers. */
export function answerOf(files: RunFiles, virtualized: boolean): RunAnswer {
  const { ledger, vms } = files;
  const facts: AnswerFacts = {
    virtualized,
    vms: vms.map((row) => ({
      vm: row['vm']!,
      metrics: Object.fromEntries(
        names.flatMap((name) => ((row[name] ?? '') === '' ? [] : [[name, Number(row[name])]])),
      ),
    })),
    ledger: rescaled(files, ledger, ['cycles']).map((row) => ({
      vm: row['vm']!,
      leaf: row['leaf']!,
      detail: row['detail']!,
      cycles: Number(row['cycles']),
    })),
  };
  return runAnswer(facts);
}
