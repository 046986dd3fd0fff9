// kernel suite: kernels newest, memory 2G, timeout 300
/** The host's charon: whatever else it has stays as it is. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { privateKeyDer } from '../../tunnels/ipsec/key-encoding.ts';
import { DEFAULT_IPSEC } from '../../tunnels/ipsec/settings.ts';
import { strongswanConf } from '../../tunnels/ipsec/strongswan-conf.ts';
import { ViciClient } from '../../tunnels/ipsec/vici/client.ts';
import { listAt, sectionsOf } from '../../tunnels/ipsec/vici/message.ts';
import { privateKey } from '../tunnels/states.ts';
import { eventually, Machines } from './ipsec/machines.ts';
import { exchange } from './ipsec/traffic.ts';

describe("IPsec with the host's charon", function () {
  this.timeout(60_000);
  let machines: Machines;
  let client: ViciClient;
  let socket: string;

  before(async () => {
    machines = new Machines(2, DEFAULT_IPSEC);
    const first = machines.at(0);
    await first.kill();
    socket = `${first.folder}/host.vici`;
    const settings = { socket, fwmark: 0x1000, ports: { ike: 500, natt: 4500 } };
    writeFileSync(`${first.folder}/host.conf`, strongswanConf(settings));
    first.on(`STRONGSWAN_CONF=${first.folder}/host.conf charon-systemd >/dev/null 2>&1 &`);
    client = new ViciClient({ socket });
    await eventually(() => client.request('version'));
    await client.request('load-key', { type: 'ed25519', data: privateKeyDer(privateKey(5)) });
    const ends = { local: { auth: 'pubkey', id: 'me' }, remote: { auth: 'pubkey', id: 'you' } };
    const children = { net: { remote_ts: ['203.0.113.0/24'], start_action: 'trap' } };
    await client.request('load-conn', { office: { remote_addrs: ['198.51.100.1'], ...ends, children } });
    first.start(socket);
  });
  after(async () => {
    client?.close();
    await machines?.close();
  });

  /** All that it has but ours, as it says itself. */
  async function foreign(): Promise<string> {
    const found: unknown[] = [];
    for (const [command, event] of [
      ['list-conns', 'list-conn'],
      ['list-policies', 'list-policy'],
    ] as const) {
      await client.stream(command, event, {
        message: { trap: 'yes' },
        onEvent: (section) =>
          void found.push(...sectionsOf(section).filter(([name]) => !name.startsWith('sheath-'))),
      });
    }
    const policies = machines
      .at(0)
      .on('ip xfrm policy list dir out')
      .split(/\n(?=src )/);
    return JSON.stringify([found, policies.filter((policy) => policy.includes('203.0.113.0/24'))]);
  }

  it('carries our packets, and goes on with what it had', async () => {
    const before = await foreign();
    assert.match(before, /office.*203\.0\.113\.0\/24/);
    const keys = listAt(await client.request('get-keys'), 'keys');
    for (const machine of machines.all) {
      const { errors } = await machine.set({
        self: machine.number,
        peers: [3 - machine.number],
        generations: [7],
      });
      assert.deepEqual(errors, []);
    }
    await eventually(async () => assert.ok((await machines.at(0).observe())[0]?.lastHandshake));
    await eventually(async () => {
      const { sent, received } = await exchange(1, '10.244.2.2', { count: 100 });
      assert.equal(received, sent);
    });
    assert.equal(await foreign(), before);
    assert.equal(machines.at(0).charonPid(), 0);

    // As "sheath cleanup" does it: another process, which loaded nothing.
    await machines.at(0).kill();
    machines.at(0).start(socket);
    for (const machine of machines.all) {
      await eventually(async () => {
        const { pending } = await machine.set({ self: machine.number, peers: [], generations: [] });
        assert.deepEqual(pending, []);
      });
    }
    assert.equal(await foreign(), before);
    assert.deepEqual(listAt(await client.request('get-keys'), 'keys'), keys);
    const names = listAt(await client.request('get-conns'), 'conns');
    assert.deepEqual(names, ['office']);
    assert.equal(machines.at(0).on('ip xfrm state').trim(), '');
  });
});
