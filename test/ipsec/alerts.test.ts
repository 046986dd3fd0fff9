import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { IkeRefusal } from '../../tunnels/dataplane.ts';
import { AlertStream } from '../../tunnels/ipsec/alert-stream.ts';
import { ALERT_SIZE, refusalOf } from '../../tunnels/ipsec/alerts.ts';
import { identity } from '../../tunnels/ipsec/connection.ts';
import { Refusals } from '../../tunnels/ipsec/refusals.ts';
import { parseDrops } from '../../tunnels/ipsec/xfrm/statistics.ts';
import { publicKey } from '../tunnels/states.ts';

/** As charon writes it. */
function record(type: number, of: { text?: string; name?: string; id?: string; ip?: string } = {}): Buffer {
  const bytes = Buffer.alloc(ALERT_SIZE);
  bytes.writeUInt32BE(type);
  bytes.write(of.text ?? '', 4);
  bytes.write(of.name ?? '', 388);
  bytes.write(of.id ?? '', 452);
  bytes.write(of.ip ?? '', 708);
  return bytes;
}

const STRANGER = identity({ generation: 7, slot: 'a', node: 'n9', publicKey: publicKey(9) });

describe('what charon refuses', () => {
  it('is read with who it says it is, and from where', () => {
    const text = 'peer authentication failed';
    assert.deepEqual(refusalOf(record(3, { text, id: STRANGER, ip: '192.0.2.9[4500]' })), {
      code: 'IKE_PEER_UNPROVEN',
      message: text,
      address: '192.0.2.9[4500]',
      node: 'n9',
      publicKey: publicKey(9),
    });
  });

  it('is no refusal when something is sent again, and of an identity that is none of ours nothing is claimed', () => {
    assert.equal(refusalOf(record(20)), undefined);
    assert.equal(refusalOf(record(0)), undefined);
    for (const id of ['C=CH, O=strongSwan', '%any', `${STRANGER}\nspoof`, `x${STRANGER}`])
      assert.deepEqual(refusalOf(record(2, { id })), { code: 'IKE_OWN_KEY_REFUSED', message: '' }, id);
  });

  it('a field without an end is read to its end', () => {
    const full = Buffer.alloc(ALERT_SIZE, 'x');
    full.writeUInt32BE(8);
    const refusal = refusalOf(full);
    assert.equal(refusal?.message.length, 384);
    assert.equal(refusal?.address?.length, 60);
  });

  it('is counted by reason, and said once a minute for each who', () => {
    let steady = 0;
    const said: [IkeRefusal, number][] = [];
    const refusals = new Refusals({
      steady: () => steady,
      onRefusal: (refusal, times) => said.push([refusal, times]),
    });
    const of = (port: number, host = '192.0.2.9'): IkeRefusal => ({
      code: 'IKE_PEER_UNPROVEN',
      message: '',
      address: `${host}[${port}]`,
    });
    for (let i = 0; i < 5; i++) refusals.add(of(4500 + i));
    refusals.add(of(1, '192.0.2.8'));
    assert.deepEqual(
      said.map(([{ address }, times]) => [address, times]),
      [
        ['192.0.2.9[4500]', 1],
        ['192.0.2.8[1]', 1],
      ],
    );
    steady = 60_000;
    refusals.add(of(4600));
    assert.deepEqual(said.at(-1), [of(4600), 5]);
    assert.deepEqual(refusals.counts, [{ code: 'IKE_PEER_UNPROVEN', times: 7 }]);
  });

  it('from more addresses than anybody has, all are counted, and a thousand a minute said', () => {
    let said = 0;
    const refusals = new Refusals({ steady: () => 0, onRefusal: () => void said++ });
    for (let i = 0; i < 3000; i++)
      refusals.add({ code: 'IKE_MALFORMED', message: '', address: `10.0.${i >> 8}.${i & 255}[500]` });
    assert.equal(said, 1000);
    assert.deepEqual(refusals.counts, [{ code: 'IKE_MALFORMED', times: 3000 }]);
  });

  it('comes in pieces, and again from a charon that was started anew', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sheath-alerts-'));
    const path = join(folder, 'charon.alerts');
    const seen: string[] = [];
    const stream = new AlertStream(path, ({ code }) => seen.push(code));
    try {
      await stream.connect();
      assert.equal(stream.open, false, 'nobody tells');
      for (const expected of [2, 4]) {
        const server = createServer().listen(path);
        await once(server, 'listening');
        const accepted = once(server, 'connection') as Promise<[Socket]>;
        await stream.connect();
        assert.equal(stream.open, true);
        const [socket] = await accepted;
        const both = Buffer.concat([record(3), record(21), record(9)]);
        for (let at = 0; at < both.length; at += 500) socket.write(both.subarray(at, at + 500));
        while (seen.length < expected) await sleep(5);
        socket.destroy();
        server.close();
        while (stream.open) await sleep(5);
      }
      const [one, two] = ['IKE_PEER_UNPROVEN', 'IKE_NO_COMMON_PROPOSAL'];
      assert.deepEqual(seen, [one, two, one, two]);
    } finally {
      stream.close();
      rmSync(folder, { recursive: true });
    }
  });

  it('what the kernel dropped is read from its statistics', () => {
    const text = 'XfrmInError             \t0\nXfrmInNoStates          \t12\nXfrmAcquireError\t1\nnonsense\n';
    assert.deepEqual(parseDrops(text), [
      { reason: 'XfrmAcquireError', packets: 1 },
      { reason: 'XfrmInNoStates', packets: 12 },
    ]);
    assert.deepEqual(parseDrops(''), []);
  });
});
