import type { RunFiles } from '../../files/results.ts';
import { type MetricName, metricDictionary } from '../../stats/metrics.ts';
import { type AnswerFacts, type RunAnswer, runAnswer } from '../answer.ts';

const names = Object.keys(metricDictionary) as MetricName[];

/** What the tables of a run say in a sentence and at most four numbers. */
export function answerOf({ vms, ledger }: RunFiles, virtualized: boolean): RunAnswer {
  const facts: AnswerFacts = {
    virtualized,
    vms: vms.map((row) => ({
      vm: row['vm']!,
      metrics: Object.fromEntries(
        names.flatMap((name) => ((row[name] ?? '') === '' ? [] : [[name, Number(row[name])]])),
      ),
    })),
    ledger: ledger.map((row) => ({
      vm: row['vm']!,
      leaf: row['leaf']!,
      detail: row['detail']!,
      cycles: Number(row['cycles']),
    })),
  };
  return runAnswer(facts);
}
