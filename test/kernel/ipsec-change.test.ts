// kernel suite: kernels newest, memory 2G, timeout 600
/** Other proposals for a cluster that carries traffic, node by node: what was agreed is kept until both ends agree on something new. */
import assert from 'node:assert/strict';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PROFILES, type Proposals } from '../../tunnels/ipsec/proposals.ts';
import { settingsOf } from '../../tunnels/ipsec/settings.ts';
import { eventually, Machine, Machines } from './ipsec/machines.ts';
import { exchange } from './ipsec/traffic.ts';

/** Nothing in common with the profile `default`. */
const OTHER: Proposals = {
  ikeProposals: ['chacha20poly1305-prfsha256-ecp521'],
  espProposals: ['chacha20poly1305-esn'],
};
const GCM = /rfc4106\(gcm\(aes\)\)/;
const CHACHA = /rfc7539esp\(chacha20,poly1305\)/;

describe('IPsec, other proposals under traffic', function () {
  this.timeout(180_000);
  let machines: Machines;
  let nodes: Machine[];
  const wanted: Proposals[] = [PROFILES.default, PROFILES.default];

  /** What an agent does all the time. */
  const turn = async () => {
    for (const [at, node] of nodes.entries()) {
      const { number } = node;
      const { espProposals } = wanted[at] ?? OTHER;
      const { errors } = await node.set({
        self: number,
        peers: [3 - number],
        generations: [7],
        espProposals,
      });
      assert.deepEqual(errors, []);
      await node.observe();
    }
  };
  const turns = (happens: () => void, seconds = 40) =>
    eventually(async () => {
      await turn();
      happens();
    }, seconds);
  /** As when its configuration changes. */
  const change = async (at: 0 | 1) => {
    const before = machines.at(at);
    await before.kill();
    const after = new Machine(
      before.number,
      dirname(before.folder),
      settingsOf({ ...OTHER, lifetime: 3600 }),
    );
    after.start();
    nodes[at] = after;
    wanted[at] = OTHER;
  };
  const states = () => nodes.map((node) => node.on('ip xfrm state')).join('');

  before(() => {
    machines = new Machines(2, settingsOf({ ...PROFILES.default, lifetime: 3600 }));
    nodes = [...machines.all];
  });
  after(async () => {
    for (const node of nodes) await node.kill();
    await machines.close();
  });

  it('loses nothing: the old session stays while the ends differ, and goes for one of the new kind', async () => {
    await turns(() => assert.match(states(), GCM));
    await turns(() => void nodes[0]?.on('ping -c 1 -W 1 -I 10.244.1.1 10.244.2.1'));
    const flow = exchange(1, '10.244.2.2', { count: 10_000 });
    await change(0);
    const differing = performance.now() + 10_000;
    while (performance.now() < differing) {
      await turn();
      await sleep(200);
    }
    assert.match(states(), GCM);
    assert.doesNotMatch(states(), CHACHA);
    await change(1);
    await turns(() => {
      assert.match(states(), CHACHA);
      assert.doesNotMatch(states(), GCM);
    });
    const { sent, received } = await flow;
    assert.equal(sent - received, 0);
  });
});
