// kernel suite: kernels newest, memory 1G
/** What the door of strict mode makes of packets that IPsec is about to encrypt: two machines without an agent, a charon each. */
import assert from 'node:assert/strict';
import { DEFAULT_IPSEC } from '../../tunnels/ipsec/settings.ts';
import { prefix } from '../tunnels/states.ts';
import { eventually, type Machine, Machines } from './ipsec/machines.ts';
import { exchange } from './ipsec/traffic.ts';

const STRICT = {
  mode: 'strict',
  clusterPrefixes: [prefix('10.244.0.0/16'), prefix('fd00:10:244::/48')],
  nodePrefixes: [prefix('192.0.2.0/24'), prefix('2001:db8::/64')],
} as const;
const PODS = ['10.244.2.2', 'fd00:10:244:2::2'];
const KEY = `0x${'5a'.repeat(36)}`;

describe('the door and IPsec', function () {
  this.timeout(120_000);
  let machines: Machines;
  const [n1, n2] = [() => machines.at(0), () => machines.at(1)] as const;
  const set = ({ number, name }: Machine) =>
    machines
      .at(number - 1)
      .set({ self: number, peers: [3 - number], generations: [7], plan: STRICT })
      .then(({ errors, door }) => {
        assert.deepEqual(errors, [], name);
        return (door?.dropped ?? []).reduce((sum, { packets }) => sum + packets, 0);
      });
  const established = () =>
    eventually(async () => {
      for (const machine of machines.all) {
        const [{ lastHandshake } = {}] = await machine.observe();
        assert.ok(lastHandshake !== undefined, machine.name);
      }
    });
  /** From pod 1 to pod 2, both families. @returns answers */
  const ask = async (): Promise<number> => {
    let received = 0;
    for (const pod of PODS) received += (await exchange(1, pod, { count: 3, rate: 20 })).received;
    return received;
  };
  /** Packets that reached node 2 by the wire, and not out of its tunnel. */
  const seenInClear = (): number =>
    [
      ...n2()
        .on('nft list table inet witness')
        .matchAll(/packets (\d+)/g),
    ].reduce((sum, [, packets]) => sum + Number(packets), 0);

  before(async () => {
    machines = new Machines(2, DEFAULT_IPSEC);
    n2().on(`nft 'table inet witness { chain seen { type filter hook prerouting priority -500;
      iifname under0 ip saddr 10.244.0.0/16 counter; iifname under0 ip6 saddr fd00:10:244::/48 counter; }; }'`);
    // As the CNI has them, for who is led to no tunnel.
    n1().on('ip route add 10.244.2.0/24 via 192.0.2.2; ip -6 route add fd00:10:244:2::/64 via 2001:db8::2');
    for (const machine of machines.all) await set(machine);
    await established();
  });
  after(() => machines?.close());

  it('what our states encrypt passes, in both families, and nothing else is seen', async () => {
    const before = await set(n1());
    assert.equal(await ask(), 6);
    assert.equal(seenInClear(), 0);
    assert.equal(await set(n1()), before);
  });

  it('with policies and without states nothing leaves', async () => {
    n1().on('ip xfrm state flush');
    assert.equal(await ask(), 0);
    assert.equal(seenInClear(), 0);
    await eventually(async () => {
      await established();
      await set(n1());
      assert.equal(await ask(), 6);
    });
  });

  for (const [whose, reqid, passes] of [
    ["another's", 1, false],
    ["the kernel's own", 0x4000, false],
    ['our own', 0x4000_0001, true],
  ] as const)
    it(`whether ${whose} state opens the door: ${passes ? 'yes' : 'no'}`, async () => {
      const tunnel = `src 192.0.2.1 dst 192.0.2.2 proto esp`;
      const outer = () => Number(/packets (\d+)/.exec(n2().on('nft list counter inet outer others'))?.[1]);
      n2().on(`nft 'table inet outer { counter others { }; chain seen { type filter hook prerouting priority -500;
        esp spi 0x5a5a counter name others; }; }'`);
      const before = await set(n1());
      try {
        n1().on(
          [
            'ip rule del pref 95; ip -6 rule del pref 95',
            `ip xfrm state add ${tunnel} spi 0x5a5a reqid ${reqid} mode tunnel aead 'rfc4106(gcm(aes))' ${KEY} 128`,
            `ip xfrm policy add src 10.244.1.0/24 dst 10.244.2.0/24 dir out tmpl ${tunnel} reqid ${reqid} mode tunnel`,
          ].join('\n'),
        );
        await exchange(1, '10.244.2.2', { count: 3, rate: 20 });
        assert.equal(outer(), passes ? 3 : 0);
        assert.equal(seenInClear(), 0);
      } finally {
        n1().on(
          `ip xfrm policy del src 10.244.1.0/24 dst 10.244.2.0/24 dir out; ip xfrm state del src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x5a5a`,
        );
        n2().on('nft delete table inet outer');
      }
      assert.equal((await set(n1())) - before, passes ? 0 : 3);
    });

  it('the inverse: without the door and the tunnel it is seen', async () => {
    n1().on('ip rule del pref 95; ip -6 rule del pref 95');
    n1().on('for table in sheath sheath-guard; do nft delete table inet $table; done');
    assert.equal(seenInClear(), 0);
    await ask();
    assert.equal(seenInClear(), 0, 'the keep holds');
    n1().on(
      'for pid in $(ip netns pids n1); do [ "$(cat /proc/$pid/comm)" = nft ] && kill -9 $pid; done; true',
    );
    await eventually(() => assert.doesNotMatch(n1().on('nft list tables'), /sheath/));
    await ask();
    assert.ok(seenInClear() > 0);
  });
});
