// The client's own queue, agent and transformation against the engine, with random edits on both sides and random
// delays: `node convergence.cjs PROGRAM SCHEDULES [SEED]`. Afterwards both have to be equal. The client replaces values
// only: its own removals compare indices as text.
'use strict';
const assert = require('assert');
const Agent = require('json-patch-ot-agent');
const transformation = require('json-patch-ot');
const { applyPatch } = require('fast-json-patch');
const { Engine } = require('./engine.cjs');

const transform = transformation.transform || transformation;
const OWN = '_ver#c$';
const OTHER = '_ver#s';

function random(seed) {
  let state = seed >>> 0;
  return (limit) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
}

const element = (n) => ({ t$: n, o: { p$: n } });

class Schedule {
  constructor(engine, events) {
    Object.assign(this, { engine, events, toServer: [], toClient: [], number: 100 });
    this.holder = {};
    const apply = (holder, patch) => {
      holder.document = applyPatch(holder.document, patch, true, true).newDocument;
    };
    this.agent = new Agent(transform, [`/${OWN}`, `/${OTHER}`], apply, false);
  }

  async run() {
    const items = [1, 2, 3].map(element);
    const value = { n$: 0, tick: 0, items, map: {}, box$: { a$: 0, b$: { c$: 0 } } };
    const { state } = await this.engine.do({ do: 'new', value, versioned: true });
    this.agent.reset(this.holder, JSON.parse(state));
    for (const [kind, a, b] of this.events) {
      if (kind < 3) await this.editOnServer(a, b);
      else if (kind < 6) this.editOnClient(a, b);
      else if (kind < 7) await this.push();
      else if (kind < 9) await this.deliverToServer(a, b % 4 === 0);
      else this.deliverToClient(a);
    }
    await this.drain();
  }

  async editOnServer(a, b) {
    const n = (this.number += 1);
    const { root } = await this.engine.do({ do: 'root' });
    const [length, key] = [root.items.length, `/map/k${b % 3}$`];
    const at = b % Math.max(length, 1);
    const edits = [
      { do: 'set', path: '/n$', value: n },
      { do: 'set', path: '/tick', value: n },
      { do: 'insert', path: `/items/${b % (length + 1)}`, value: element(n) },
      { do: 'insert', path: '/items/0', value: element(n) },
      { do: 'set', path: key, value: n },
      { do: 'remove', path: key },
      { do: 'set', path: '/box$/b$/c$', value: n },
      length > 0 && { do: 'remove', path: `/items/${at}` },
      length > 0 && { do: 'set', path: `/items/${at}/t$`, value: n },
      length > 0 && { do: 'set', path: `/items/${at}`, value: element(n) },
      b < 60 && { do: 'set', path: '/items', value: [element(n)] },
    ];
    await this.engine.do(edits[a % edits.length] || edits[1]);
  }

  editOnClient(a, b) {
    const n = (this.number += 1);
    const { items, map } = this.holder.document;
    const [at, key] = [b % Math.max(items.length, 1), `k${b % 3}$`];
    const some = items.length > 0;
    const edits = [
      ['/n$', n],
      ['/tick', n],
      some && [`/items/${at}/t$`, n],
      some && [`/items/${at}/o/p$`, n],
      some && [`/items/${at}`, element(n)],
      ['/box$', { a$: n, b$: { c$: n } }],
      key in map && [`/map/${key}`, n],
    ];
    const [path, value] = edits[a % edits.length] || edits[0];
    const patch = [{ op: 'replace', path, value }];
    this.agent.apply(this.holder, JSON.parse(JSON.stringify(patch)));
    this.toServer.push(JSON.stringify(this.agent.send(patch)));
  }

  async push() {
    const { message } = await this.engine.do({ do: 'push' });
    if (message) this.toClient.push(message);
    return Boolean(message);
  }

  async deliverToServer(a, twice) {
    if (this.toServer.length === 0) return;
    const at = a % this.toServer.length;
    const message = twice ? this.toServer[at] : this.toServer.splice(at, 1)[0];
    const answer = await this.engine.do({ do: 'receive', message });
    assert.strictEqual(answer.refused, null);
    if (answer.message !== '[]') this.toClient.push(answer.message);
  }

  deliverToClient(a) {
    if (this.toClient.length === 0) return;
    const [message] = this.toClient.splice(a % this.toClient.length, 1);
    this.agent.receive(this.holder, JSON.parse(message));
  }

  async drain() {
    do {
      await this.deliverToServer(0, false);
      this.deliverToClient(0);
    } while ((await this.push()) || this.toServer.length > 0 || this.toClient.length > 0);
    const { root } = await this.engine.do({ do: 'root' });
    const { [OWN]: own, [OTHER]: other, ...document } = this.holder.document;
    assert.deepStrictEqual(document, root);
    assert.strictEqual(this.agent.pending.length, 0);
  }
}

async function fails(engine, events) {
  try {
    await new Schedule(engine, events).run();
    return null;
  } catch (error) {
    return error;
  }
}

// Leaves out events, ever fewer at a time, as long as the schedule fails.
async function shrink(engine, events) {
  for (let size = events.length >> 1; size > 0; size >>= 1) {
    for (let at = 0; at + size <= events.length; ) {
      const fewer = [...events.slice(0, at), ...events.slice(at + size)];
      if (await fails(engine, fewer)) events = fewer;
      else at += size;
    }
  }
  return events;
}

async function main() {
  const [program, schedules, from] = process.argv.slice(2);
  const first = from === undefined ? Date.now() % 1000000000 : Number(from);
  const engine = new Engine(program);
  console.log(`convergence: ${schedules} schedules from seed ${first}`);
  for (let seed = first; seed < first + Number(schedules); seed += 1) {
    const next = random(seed);
    const events = Array.from({ length: next(60) }, () => [next(11), next(256), next(256)]);
    if (await fails(engine, events)) {
      const fewest = await shrink(engine, events);
      const error = await fails(engine, fewest);
      console.error(`seed ${seed} fails: ${error.stack}\n${JSON.stringify(fewest)}`);
      process.exit(1);
    }
  }
  engine.end();
  console.log('convergence: both sides were equal after each schedule');
}

main();
