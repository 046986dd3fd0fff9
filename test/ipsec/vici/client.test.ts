import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { ViciClient } from '../../../tunnels/ipsec/vici/client.ts';
import { CONFIRM, event, FakeCharon, response } from './fake-charon.ts';

describe('VICI client', () => {
  let charon: FakeCharon;
  let client: ViciClient;
  beforeEach(async () => {
    charon = new FakeCharon();
    await charon.start();
    client = new ViciClient({ socket: charon.path, timeout: 2000 });
  });
  afterEach(async () => {
    client.close();
    await charon.end();
  });

  it('asks without waiting for the answers before, and each is given its own', async () => {
    const waiting: string[] = [];
    const commands = Array.from({ length: 20 }, (_, i) => `c${i}`);
    charon.script = (command, _message, reply) => {
      if (waiting.push(command) < commands.length) return;
      for (const one of waiting)
        reply(response(one === 'c7' ? { success: 'no', errmsg: 'not that' } : { one }));
    };
    const answers = await Promise.allSettled(commands.map((command) => client.request(command)));
    for (const [i, answer] of answers.entries()) {
      if (i === 7) assert.match(String(answer.status === 'rejected' && answer.reason), /not that/);
      else assert.equal(answer.status === 'fulfilled' && answer.value.one, `c${i}`);
    }
  });

  it('waits on while a long list comes', async () => {
    const patient = new ViciClient({ socket: charon.path, timeout: 1000 });
    charon.script = (_command, _message, reply) => {
      for (let i = 1; i <= 5; i++) setTimeout(() => reply(event('list-sa', { i: String(i) })), 300 * i);
      setTimeout(() => reply(response({})), 1700);
    };
    const found: unknown[] = [];
    await patient.stream('list-sas', 'list-sa', { onEvent: (message) => void found.push(message) });
    assert.equal(found.length, 5);
    patient.close();
  });

  it("hands on charon's own words when it refuses", async () => {
    charon.script = (_command, _message, reply) =>
      reply(response({ success: 'no', errmsg: 'no such child' }));
    await assert.rejects(client.request('initiate'), {
      code: 'VICI_REFUSED',
      message: 'charon refused "initiate": no such child',
    });
    charon.script = (_command, _message, reply) => reply(Buffer.from([2]));
    await assert.rejects(client.request('dance'), { code: 'VICI_UNKNOWN' });
    await assert.rejects(
      client.subscribe('none', () => undefined, AbortSignal.timeout(5000)),
      {
        code: 'VICI_UNKNOWN',
      },
    );
    charon.script = (_command, _message, reply) => reply(response({ success: 'yes' }));
    assert.deepEqual({ ...(await client.request('initiate')) }, { success: 'yes' });
  });

  it('streams the events of a command, and those only', async () => {
    charon.script = (_command, _message, reply) => {
      reply(event('other', { n: 'x' }));
      for (const n of ['1', '2', '3']) reply(event('list-sa', { n }));
      reply(response({}));
    };
    const seen: unknown[] = [];
    const onEvent = (message: { n?: unknown }) => void seen.push(message.n);
    await client.stream('list-sas', 'list-sa', { onEvent });
    await client.stream('list-sas', 'list-sa', { onEvent });
    assert.deepEqual(seen, ['1', '2', '3', '1', '2', '3']);
    assert.deepEqual([...charon.registered], []);
  });

  it('a subscription outlives a stream of the same event, and a restart of charon', async () => {
    const seen: unknown[] = [];
    const stop = new AbortController();
    await client.subscribe('child-updown', (message) => void seen.push(message.n), stop.signal);
    await client.stream('x', 'child-updown', { onEvent: () => undefined });
    charon.emit('child-updown', { n: '1' });
    await until(() => seen.length === 1);
    await charon.stop();
    await charon.start();
    await until(() => charon.registered.has('child-updown'));
    charon.emit('child-updown', { n: '2' });
    await until(() => seen.length === 2);
    stop.abort();
    await until(() => charon.registered.size === 0);
    assert.deepEqual(seen, ['1', '2']);
  });

  it('what was asked when charon stopped fails, and is not asked again; the next is', async () => {
    const asked: string[] = [];
    charon.script = (command, _message, _reply, socket) => {
      asked.push(command);
      socket.destroy();
    };
    await assert.rejects(client.request('one'), { code: 'VICI_LOST' });
    charon.script = (command, _message, reply) => {
      asked.push(command);
      reply(response({}));
    };
    await client.request('two');
    assert.deepEqual(asked, ['one', 'two']);
  });

  it('says which socket nobody listens on', async () => {
    await charon.stop();
    await assert.rejects(client.request('version'), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'VICI_UNREACHABLE');
      assert.match(error.message, /charon\.vici: charon cannot be reached/);
      return true;
    });
    await charon.start();
    await client.request('version');
  });

  it('who gives up is told at once, and the answer that comes late is nobody else’s', async () => {
    const stop = new AbortController();
    charon.script = (command, _message, reply) => setTimeout(() => reply(response({ command })), 50);
    const given = client.request('slow', {}, { signal: stop.signal });
    const queued = client.request('never', {}, { signal: stop.signal });
    await sleep(10);
    stop.abort(new Error('enough'));
    await assert.rejects(given, /enough/);
    await assert.rejects(queued, /enough/);
    assert.equal((await client.request('next')).command, 'next');
  });

  it('an answer that does not come ends the connection, not the client', async () => {
    charon.script = () => undefined;
    await assert.rejects(client.request('hang', {}, { timeout: 30 }), { code: 'VICI_TIMEOUT' });
    charon.script = (_command, _message, reply) => reply(response({ fine: 'yes' }));
    assert.equal((await client.request('next')).fine, 'yes');
  });

  it('bytes that are none end the connection with an error', async () => {
    charon.script = (_command, _message, _reply, socket) =>
      socket.write(Buffer.from('HTTP/1.1 400 Bad Request'));
    await assert.rejects(client.request('version'), { code: 'VICI_TOO_LARGE' });
    charon.script = (_command, _message, reply) => reply(Buffer.from([1, 9, 9]));
    await assert.rejects(client.request('version'), { code: 'VICI_MALFORMED' });
    charon.script = (_command, _message, reply) => reply(CONFIRM);
    await assert.rejects(client.request('version'), { code: 'VICI_MALFORMED' });
  });

  it('after close nothing is asked', async () => {
    charon.script = () => undefined;
    const waiting = client.request('hang');
    await sleep(20);
    client.close();
    await assert.rejects(waiting, { code: 'VICI_CLOSED' });
    await assert.rejects(client.request('version'), { code: 'VICI_CLOSED' });
  });
});

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 5000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error('waited 5 s in vain');
    await sleep(5);
  }
}
