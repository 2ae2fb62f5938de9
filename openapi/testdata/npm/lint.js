// Lints the document that is named: the recommended rules of Redocly, warnings counted as errors, but for two rules.
import { createConfig, formatProblems, getTotals, lint } from '@redocly/openapi-core';

const config = await createConfig({
  extends: ['recommended-strict'],
  rules: {
    // It does not see that a property required under a condition is defined beside the condition.
    'no-required-schema-properties-undefined': 'off',
    // A probe of the service has nothing to refuse.
    'operation-4xx-response': 'off',
  },
});
const problems = await lint({ ref: process.argv[2], config });
const totals = getTotals(problems);
formatProblems(problems, { format: 'codeframe', totals, version: '' });
console.log(`${process.argv[2]}: ${totals.errors} errors, ${totals.warnings} warnings`);
process.exitCode = totals.errors + totals.warnings > 0 ? 1 : 0;
