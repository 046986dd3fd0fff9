// kernel suite: kernels newest, memory 1G, timeout 300
/** The first session of two nodes: a route may lead to it when packets that take it arrive, and no sooner. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { DEFAULT_IPSEC } from '../../tunnels/ipsec/settings.ts';
import { eventually, type Machine, Machines } from './ipsec/machines.ts';
import { during } from './ipsec/traffic.ts';

/** The answers of IKE_AUTH, by their type of exchange (RFC 7296, 3.1): 18 octets behind the UDP header's 8. */
const LATE =
  'table inet late { chain in { type filter hook input priority 0; udp sport 500 @th,208,8 35 drop; }; }';
/** Milliseconds; charon tells the age of a session in whole seconds. */
const SURELY = 1500;

describe('IPsec, the first session', function () {
  this.timeout(90_000);
  let machines: Machines;
  const at = (number: number): Machine => machines.at(number - 1);
  const set = (self: number) => at(self).set({ self, peers: [3 - self], generations: [7] });
  const isEstablished = async (self: number) => (await at(self).observe())[0]?.lastHandshake !== undefined;

  beforeEach(() => {
    machines = new Machines(2, DEFAULT_IPSEC);
  });
  afterEach(() => machines?.close());

  // The end that answers has its states before the end that asked can have them.
  it('whoever answered waits until the answer has surely come', async () => {
    at(1).on(`nft '${LATE}'`);
    await set(2);
    await set(1);
    await eventually(() => assert.match(at(2).on('ip xfrm state'), /^src/m));
    const began = performance.now();
    while (!(await isEstablished(2))) await sleep(50);
    const waited = performance.now() - began;
    assert.ok(waited >= SURELY, `sent by after ${Math.round(waited)} ms`);
    assert.doesNotMatch(at(1).on('ip xfrm state'), /aead/, 'who asked has no keys yet');
    at(1).on('nft delete table inet late');
    await eventually(async () => assert.ok(await isEstablished(1)));
    assert.equal(await isEstablished(2), true);
    assert.deepEqual(
      await during(
        [
          [1, '10.244.2.2'],
          [2, '10.244.1.2'],
        ],
        2,
      ),
      [0, 0],
    );
    for (const machine of machines.all)
      assert.equal(machine.on('ip xfrm state').match(/^src/gm)?.length, 2, machine.name);
  });

  it('that came while there was no agent is none until something is sent by it', async () => {
    await set(2);
    await at(2).kill();
    await set(1);
    await eventually(async () => assert.ok(await isEstablished(1)));
    assert.match(at(2).on('ip xfrm state'), /aead/);
    at(2).start();
    assert.equal(await isEstablished(2), false);
    await set(2);
    await eventually(async () => assert.ok(await isEstablished(2)));
    await at(2).kill();
    at(2).start();
    assert.equal(await isEstablished(2), true, 'what a former agent sent by');
  });
});
