import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { workflowStep } from './step.ts';

test('the step that is tried is the one of the broker’s page', () => {
  const page = readFileSync(join(import.meta.dirname, '../../../../services/broker/README.md'), 'utf8');
  const [, block] = /```yaml\n(permissions[\s\S]*?)```/.exec(page)!;
  expect(workflowStep).toBe((parse(block!) as { steps: { run: string }[] }).steps[0]!.run);
});
