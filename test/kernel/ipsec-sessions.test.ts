// kernel suite: kernels newest, memory 2G, timeout 600
/** Sessions that come of age, on a real kernel's ESP, and what charon says against what the kernel has. */
import assert from 'node:assert/strict';
import { DEFAULT_IPSEC } from '../../tunnels/ipsec/settings.ts';
import { ViciClient } from '../../tunnels/ipsec/vici/client.ts';
import type { Section } from '../../tunnels/ipsec/vici/message.ts';
import { eventually, Machines } from './ipsec/machines.ts';
import type { IpsecShape } from './ipsec/shape.ts';
import { during, exchange, type Flow } from './ipsec/traffic.ts';

/** Seconds. */
const LIFETIME = 20;
const shapeOf = (self: number): IpsecShape => ({ self, peers: [3 - self], generations: [7] });

describe('IPsec, sessions of some seconds', function () {
  this.timeout(120_000);
  let machines: Machines;

  before(async () => {
    const lifetimes = { ike: 30, child: LIFETIME, jitter: 0.2 };
    machines = new Machines(2, { ...DEFAULT_IPSEC, lifetimes });
    for (const machine of machines.all)
      assert.deepEqual((await machine.set(shapeOf(machine.number))).errors, []);
    for (const machine of machines.all) {
      await eventually(async () => assert.ok((await machine.observe())[0]?.lastHandshake));
    }
  });
  after(() => machines?.close());

  it('are replaced without a lost packet, and two at most are there', async () => {
    const first = machines.at(0);
    const established = () => first.log().match(/IKE_SA sheath-7-[ab]-n2\[\d+\] established/g)?.length ?? 0;
    const count = 250 * 3 * LIFETIME;
    const flows = [exchange(1, '10.244.2.2', { count }), exchange(2, 'fd00:10:244:1::2', { count })];
    for (const { sent, received } of await Promise.all(flows))
      assert.deepEqual([sent, received], [count, count]);
    assert.ok(established() >= 3, `${established()} sessions`);
    for (const machine of machines.all) {
      assert.deepEqual(machine.refusals(), {}, machine.name);
      const states = machine.on('ip xfrm state').match(/^src/gm)?.length ?? 0;
      assert.ok(states >= 2 && states <= 4, `${machine.name} has ${states} states`);
    }
  });

  it("charon's SAs are the kernel's states, and the client reads what the real charon writes", async () => {
    const machine = machines.at(0);
    const client = new ViciClient({ socket: `${machine.folder}/ipsec/charon.vici` });
    const version = await client.request('version');
    assert.match(String(version.version), /^\d+\.\d+/);
    const found: Section[] = [];
    await client.stream('list-sas', 'list-sa', { onEvent: (section) => void found.push(section) });
    const spis = JSON.stringify(found).match(/"spi-(in|out)":"([0-9a-f]{8})"/g) ?? [];
    const kernel = machine.on('ip xfrm state');
    const installed = spis.map((text) => text.slice(-9, -1)).filter((spi) => kernel.includes(`0x${spi}`));
    assert.ok(installed.length >= 2, JSON.stringify(found));
    await assert.rejects(client.request('initiate', { child: 'nobody' }), {
      code: 'VICI_REFUSED',
      message: /charon refused "initiate": CHILD_SA config 'nobody' not found/,
    });
    await assert.rejects(client.request('no-such-command'), { code: 'VICI_UNKNOWN' });
    client.close();
  });
});

describe('IPsec, sessions of some seconds with no agent that replaces them', function () {
  this.timeout(200_000);
  let machines: Machines;
  /** Seconds; charon rekeys after four times as long. */
  const child = 10;

  before(async () => {
    const lifetimes = { ike: 600, child, jitter: 0.2 };
    machines = new Machines(2, { ...DEFAULT_IPSEC, lifetimes });
    for (const machine of machines.all) await machine.set(shapeOf(machine.number));
    for (const machine of machines.all)
      await eventually(async () => assert.ok((await machine.observe())[0]?.lastHandshake));
    for (const machine of machines.all) await machine.kill();
  });
  after(() => machines?.close());

  it('charon goes on by itself, and each rekeying costs what is under way until its answer is read', async () => {
    const seconds = 85;
    const flows: Flow[] = [
      [1, '10.244.2.2'],
      [2, 'fd00:10:244:1::2'],
    ];
    const lost = await during(flows, seconds);
    const logs = machines.all.map((machine) => machine.log()).join('');
    const rekeyings = logs.match(/generating CREATE_CHILD_SA request/g)?.length ?? 0;
    assert.ok(rekeyings >= 2, `${rekeyings} rekeyings`);
    // What overtakes the answer of the end that was asked comes before the keys are there: far less than a second's packets each time.
    for (const packets of lost)
      assert.ok(packets < rekeyings * 250, `${packets} lost in ${rekeyings} rekeyings`);
    for (const machine of machines.all)
      for (const reason of Object.keys(machine.refusals()))
        assert.match(reason, /^Xfrm(AcquireError|InNoStates)$/);
  });

  it('an agent that comes again goes on with what it finds, and replaces it', async () => {
    for (const machine of machines.all) machine.start();
    for (const machine of machines.all) {
      const { changes, errors } = await machine.set(shapeOf(machine.number));
      assert.deepEqual([changes, errors], [[], []]);
    }
    const log = machines.at(0).log();
    // What is in the other slot goes first, when it has been silent, while both charons still rekey.
    await eventually(
      () =>
        assert.match(machines.at(0).log().slice(log.length), /IKE_SA sheath-7-[ab]-n2\[\d+\] established/),
      60,
    );
    const before = machines.all.map((machine) => machine.refusals());
    assert.deepEqual(await during([[1, '10.244.2.2']], 15), [0]);
    assert.deepEqual(
      machines.all.map((machine) => machine.refusals()),
      before,
    );
  });
});
