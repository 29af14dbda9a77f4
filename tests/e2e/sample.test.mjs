// The sample house of the mock says only what the protocol knows.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { sample } from './sample.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const require = createRequire(join(process.env.E2E_MODULES ?? here, 'package.json'));
const Ajv = require('ajv/dist/2020').default;

/** Fails with what a schema of docs/schema does not allow. */
function fits(name, what, value) {
  const schema = JSON.parse(readFileSync(join(here, '../../docs/schema', name), 'utf8'));
  // The formats are Rust's: "uint64" and the like.
  const ajv = new Ajv({ allErrors: true, strict: false, validateFormats: false });
  const valid = ajv.validate(schema, value);
  assert.ok(valid, `${what}: ${JSON.stringify(ajv.errors, undefined, 1)}`);
}

const { document, reports } = sample();

test('its document is an environment', () => {
  fits('environment.schema.json', 'the document', document);
});

test('what its screens say is what boxes say', () => {
  for (const [screen, report] of Object.entries(reports))
    fits('sync.schema.json', screen, { type: 'reported', screen, ...report });
});
