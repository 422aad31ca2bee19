// The active records of the public JSON Patch suite, by number: `node suite.cjs PROGRAM`.
'use strict';
const assert = require('assert');
const { Engine } = require('./engine.cjs');

async function check(engine, record) {
  await engine.do({ do: 'new', value: record.doc, versioned: false });
  const answer = await engine.try({ do: 'receive', message: JSON.stringify(record.patch) });
  const { root } = await engine.do({ do: 'root' });
  if ('error' in record) {
    assert.ok(answer.error, 'it has to fail');
    assert.deepStrictEqual(root, record.doc);
  } else {
    assert.ok(!answer.error, answer.error);
    assert.deepStrictEqual(root, 'expected' in record ? record.expected : record.doc);
  }
}

async function main() {
  const engine = new Engine(process.argv[2]);
  let [passed, failed] = [0, 0];
  for (const file of ['tests', 'spec_tests']) {
    const records = require(`json-patch-test-suite/${file}.json`);
    for (const [number, record] of records.entries()) {
      if (record.disabled || !record.patch) continue;
      try {
        await check(engine, record);
        passed += 1;
      } catch (error) {
        failed += 1;
        console.error(`${file} ${number} (${record.comment || ''}): ${error.message}`);
      }
    }
  }
  engine.end();
  console.log(`suite: ${passed} records pass, ${failed} fail`);
  process.exitCode = failed > 0 || passed < 80 ? 1 : 0;
}

main();
