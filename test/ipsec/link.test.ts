import assert from 'node:assert/strict';
import { type LinkContext, linkOf } from '../../tunnels/ipsec/link.ts';
import { DEFAULT_IPSEC } from '../../tunnels/ipsec/settings.ts';
import { ipsecDesired } from '../kernel/ipsec/shape.ts';
import { publicKey } from '../tunnels/states.ts';

function context(self: number, jitter: number): LinkContext {
  const { plan } = ipsecDesired({ self, peers: [1, 2, 3, 4].filter((n) => n !== self), generations: [7] });
  const [device] = plan.devices;
  if (device === undefined) throw new Error('no device');
  const lifetimes = { ...DEFAULT_IPSEC.lifetimes, child: 3600, jitter };
  return {
    plan,
    device,
    ownKey: publicKey(self),
    settings: { ...DEFAULT_IPSEC, lifetimes },
    taken: () => false,
  };
}

const links = (of: LinkContext) =>
  of.plan.peers.map((peer) => {
    const link = linkOf(peer, of);
    if (link === undefined) throw new Error(`no link to ${peer.node}`);
    return link;
  });

describe('links', () => {
  it('are made and replaced by one end, at moments of their own; the other end waits for longer than any of them', () => {
    for (const jitter of [0, 0.1, 0.5]) {
      const [first, last] = [links(context(1, jitter)), links(context(4, jitter))];
      assert.ok(first.every(({ initiates }) => initiates));
      assert.ok(last.every(({ initiates }) => !initiates));
      for (const { lifetime } of first) assert.ok(lifetime <= 3600 && lifetime >= 3600 * (1 - jitter));
      for (const { lifetime } of last) assert.equal(lifetime, 4320);
      assert.equal(new Set(first.map(({ lifetime }) => lifetime)).size, jitter === 0 ? 1 : 3);
    }
  });

  it('two peers that meet in a request id have one each', () => {
    const of = context(1, 0);
    const [plain] = links(of);
    const reqid = plain?.slots[0].reqid ?? 0;
    const link = linkOf(of.plan.peers[0] ?? assert.fail(), { ...of, taken: (id) => id === reqid });
    assert.deepEqual(
      link?.slots.map((slot) => slot.reqid),
      [reqid + 2, reqid + 3],
    );
  });
});
