// kernel suite: kernels newest, memory 2G, timeout 900
/**
 * Four nodes on an underlay that is not simple, with sessions of some seconds: the third behind a NAT that forwards nothing to it, the fourth
 * reached by IPv6.
 */
import assert from 'node:assert/strict';
import type { Address, MeshPlan, Observation, SecurityAssociation } from '../../mesh/types.ts';
import { DEFAULT_IPSEC } from '../../tunnels/ipsec/settings.ts';
import { eventually, type Machine, Machines, sh } from './ipsec/machines.ts';
import { hideBehindNat, PRIVATE, removeNat } from './ipsec/nat.ts';
import type { IpsecShape } from './ipsec/shape.ts';
import { during, type Flow, podOf, podOf6 } from './ipsec/traffic.ts';

const ALL = [1, 2, 3, 4];
/** Seconds. */
const LIFETIME = 20;
const FLOWS: readonly Flow[] = [
  [1, podOf(2)],
  [2, podOf6(3)],
  [3, podOf(1)],
  [4, podOf6(1)],
  [2, podOf(4)],
];
const NONE = FLOWS.map(() => 0);

describe('IPsec on a difficult underlay', function () {
  this.timeout(180_000);
  let machines: Machines;
  const at = (number: number): Machine => machines.at(number - 1);
  let shapes: Record<number, Partial<IpsecShape>>;

  const shapeOf = (self: number): IpsecShape => ({
    self,
    peers: ALL.filter((n) => n !== self),
    generations: [7],
    ...shapes[self],
  });
  const set = async (self: number, more: Partial<IpsecShape> = {}) => {
    const { errors } = await at(self).set({ ...shapeOf(self), ...more });
    assert.deepEqual(errors, []);
  };
  const setAll = () => Promise.all(ALL.map((self) => set(self)));
  const established = (self: number, peers = 3): Promise<Observation[]> =>
    eventually(async () => {
      const seen = await at(self).observe();
      const now = seen.filter(({ security }) => security !== undefined);
      assert.equal(now.length, peers, `n${self} has sessions with ${now.length} of ${peers}`);
      return now;
    }, 40);
  const refusals = () => machines.all.map((machine) => machine.refusals());
  const own = (address: string): { plan: Partial<MeshPlan> } => ({
    plan: { ownAddresses: [address as Address] },
  });

  before(async () => {
    const lifetimes = { ike: 2 * LIFETIME, child: LIFETIME, jitter: 0.2 };
    machines = new Machines(4, { ...DEFAULT_IPSEC, lifetimes });
    hideBehindNat({ address: '192.0.2.3', ports: '20000-29999' });
    // What pods see of the node.
    sh('ip -n n3 addr add 192.0.2.3/32 dev lo; ip -n n3 addr add 2001:db8::3/128 dev lo');
    const six = { reachedAt: { 4: '2001:db8::4' } };
    shapes = {
      1: six,
      2: six,
      3: { ...own(PRIVATE), peers: [1, 2] },
      4: { peers: [1, 2], reachedAt: { 1: '2001:db8::1', 2: '2001:db8::2' } },
    };
    await setAll();
    for (const self of ALL) await established(self, (shapes[self]?.peers ?? [1, 2, 3]).length);
  });
  after(async () => {
    removeNat();
    await machines?.close();
  });

  it('what is observed is what swanctl and ip say', async () => {
    for (const self of [1, 3, 4]) {
      const seen = await at(self).observe();
      const charon = at(self).on(`swanctl --list-sas --uri unix://${at(self).folder}/ipsec/charon.vici`);
      const kernel = at(self).on('ip -d xfrm state');
      for (const { security, endpoint } of seen) {
        assert.ok(security, charon);
        agree(security, { charon, kernel });
        assert.equal(security.nat, self === 3 || endpoint?.address === '192.0.2.3');
        assert.equal((endpoint?.port ?? 0) > 500, security.nat);
      }
    }
  });

  it('sessions are replaced without a lost packet', async () => {
    const before = await established(1);
    const lost = await during(FLOWS, 3 * LIFETIME);
    assert.deepEqual(lost, NONE, JSON.stringify(refusals()));
    const after = await established(1);
    for (const [i, { security }] of after.entries())
      assert.notEqual(security?.spiIn, before[i]?.security?.spiIn, `session ${i} is the same`);
    for (const counts of refusals()) assert.deepEqual(counts, {});
  });

  it('both ends that begin at the same moment do no harm', async () => {
    await Promise.all([set(1, { peers: [3] }), set(2, { peers: [3] })]);
    await Promise.all([set(1, { restart: ['n2'] }), set(2, { restart: ['n1'] })]);
    await established(1);
    await eventually(async () => assert.deepEqual(await during(FLOWS, 1), NONE));
    // Until those that are too many are gone.
    assert.deepEqual(await during(FLOWS, 2 * LIFETIME), NONE);
    await eventually(() => {
      for (const self of [1, 2]) {
        const states = at(self).on('ip xfrm state').match(/^src/gm)?.length ?? 0;
        assert.ok(states <= 3 * 2 * 2, `n${self} has ${states} states`);
      }
    });
  });

  it('a node that gets another address, and has both for a while', async () => {
    at(2).on('echo 1 >/proc/sys/net/ipv4/conf/all/promote_secondaries');
    at(2).on('ip addr add 192.0.2.22/24 dev under0');
    const lost = await during(FLOWS, 20, async () => {
      const moved = { 2: '192.0.2.22' };
      shapes = {
        ...shapes,
        1: { reachedAt: { ...moved, 4: '2001:db8::4' } },
        2: { ...shapes[2], plan: { ownAddresses: ['192.0.2.22', '2001:db8::2'] as Address[] } },
        3: { ...shapes[3], reachedAt: moved },
      };
      await set(2);
      await set(1);
      await set(3);
      await eventually(async () => {
        const [n2] = await at(1).observe();
        assert.equal(n2?.endpoint?.address, '192.0.2.22');
      });
    });
    assert.deepEqual(lost, NONE, JSON.stringify(refusals()));
    await eventually(() => assert.doesNotMatch(at(1).on('ip xfrm state'), /192\.0\.2\.2 /), 80);
    at(2).on('ip addr del 192.0.2.2/24 dev under0');
    assert.deepEqual(await during(FLOWS, 2), NONE);
  });

  it('a NAT that forgets, and comes back with other ports and another address: is followed', async () => {
    const flows: Flow[] = [
      [1, podOf(2)],
      [3, podOf(1)],
      [3, podOf6(2)],
    ];
    const lost = await during(flows, 15, async () =>
      hideBehindNat({ address: '192.0.2.33', ports: '30000-39999' }),
    );
    assert.equal(lost[0], 0);
    const [, ...those] = lost;
    // While there is no router; and until charon was told by the first packet that comes from there.
    for (const packets of those) assert.ok(packets < 250 * 5, `${packets} lost`);
    assert.deepEqual(await during(flows, 3), [0, 0, 0]);
    const seen = await at(1).observe();
    assert.ok(seen.some(({ endpoint }) => endpoint?.address === '192.0.2.33' && endpoint.port >= 30000));
  });
});

/** The same, in three programs' words. */
function agree(security: SecurityAssociation, { charon, kernel }: { charon: string; kernel: string }): void {
  const [spiIn, spiOut] = [security.spiIn, security.spiOut].map((spi) => spi.toString(16).padStart(8, '0'));
  assert.match(charon, new RegExp(`in  ${spiIn}`));
  assert.match(charon, new RegExp(`out ${spiOut}`));
  assert.ok(charon.includes(security.ikeProposal), `${security.ikeProposal} in ${charon}`);
  assert.ok(charon.includes(`TUNNEL${security.nat ? '-in-UDP' : ''}, ESP:${security.espProposal}`), charon);
  const states = kernel.split(/\n(?=src )/);
  const inbound = states.find((state) => state.includes(`spi 0x${spiIn}`)) ?? '';
  const outbound = states.find((state) => state.includes(`spi 0x${spiOut}`)) ?? '';
  for (const state of [inbound, outbound]) {
    assert.match(state, /flag .*esn/);
    assert.equal(/encap type espinudp/.test(state), security.nat, state);
  }
  assert.match(inbound, /replay_window 1024/);
  assert.ok(security.rekeyAt - security.childInstalledAt <= LIFETIME * 1.2 * 1000);
}
