/** Which packets between two nodes are ours, with and without a masquerade in their way. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { assertEncrypted, assertNoneLost, type Mesh } from './mesh.ts';

/** As CNIs set it for what leaves the pods' ranges; a node's address does. */
const MASQUERADE_ADD = [
  'nft add table ip masq',
  "nft 'add chain ip masq post { type nat hook postrouting priority 100; }'",
  'nft add rule ip masq post ip saddr 10.244.0.0/16 ip daddr != 10.244.0.0/16 masquerade',
  'nft add table ip6 masq',
  "nft 'add chain ip6 masq post { type nat hook postrouting priority 100; }'",
  'nft add rule ip6 masq post ip6 saddr fd00:10:244::/48 ip6 daddr != fd00:10:244::/48 masquerade',
].join('\n');
const MASQUERADE_REMOVE = 'nft delete table ip masq; nft delete table ip6 masq';

export function scopes(mesh: () => Mesh): void {
  it('scope pods: hosts and remote pods, both ways and their answers', async () => {
    const measured = await mesh().measure({ rate: 20, between: 'hosts', answers: true }, () => sleep(2000));
    assertNoneLost(measured);
    assertEncrypted(measured);
  });

  it('scope pods: the same when pods are masqueraded', async () => {
    // On other ports than before: a connection that conntrack knows already is not masqueraded.
    await mesh().onEach(MASQUERADE_ADD);
    try {
      const measured = await mesh().measure(
        { rate: 20, between: 'hosts', answers: true, firstPort: 40_000 },
        () => sleep(2000),
      );
      assertNoneLost(measured);
      assertEncrypted(measured);
    } finally {
      await mesh().onEach(MASQUERADE_REMOVE);
    }
  });

  it('scope pods: host to host stays in clear', async () => {
    const { wire, traffic } = await mesh().measure({ rate: 20, between: 'nodes', answers: true });
    assert.equal(traffic.lost, 0);
    assert.ok(wire.clear >= traffic.received);
  });

  it('scope nodes: host to host as well, and nothing is lost when it begins and ends', async () => {
    await mesh().losslessly(() =>
      mesh().switchTo(mesh().view.encryption, { agentFlags: ['--scope', 'nodes'] }),
    );
    const measured = await mesh().measure({ rate: 20, between: 'all', answers: true }, () => sleep(2000));
    assertNoneLost(measured);
    assertEncrypted(measured);
    await mesh().losslessly(() => mesh().switchTo(mesh().view.encryption));
  });

  it('scope nodes: agents reach an API server that is a node of the mesh', async () => {
    const netns = 'sheath.mesh.n1';
    const kubeconfig = await mesh().server.exposeIn({ netns, address: '192.0.2.11', port: 6443 });
    await mesh().switchTo(mesh().view.encryption, {
      agentFlags: ['--scope', 'nodes', '--kubeconfig', kubeconfig],
    });
    // Longer than a heartbeat of the watch could hide a dead connection: a change has to get through.
    await mesh().kubectl('label', 'node', 'n1', 'sheath-test=1', '--overwrite');
    await sleep(3000);
    for (const name of ['n1', 'n2', 'n3']) {
      const { records, publish, problems } = await mesh().status(name);
      assert.equal(records.connected, true, `${name} watches`);
      assert.equal(records.source, 'api');
      assert.equal(publish.state, 'published');
      assert.deepEqual(problems, []);
    }
    await mesh().switchTo(mesh().view.encryption);
  });
}
