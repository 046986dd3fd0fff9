/**
 * Strict mode in a mesh of three agents on the kernel's own tunnels: whatever happens, nobody on the wire reads a packet from or to a
 * pod of another node. One boot for all of it, so these tests go on from each other, in this order.
 */
import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { agentPid, nodeNamed } from '../../../lab/nodes/agents.ts';
import { bootNode, doorAtBoot, killNode, startNode } from '../../../lab/nodes/lab.ts';
import { StrictMesh, type StrictOptions } from './mesh.ts';

/** Takes away what only this driver has; of some of it the kernel tells nobody, and the agent sees it when it looks the next time. */
const HANDS: Readonly<Record<StrictOptions['encryption'], readonly string[]>> = {
  wireguard: ['wg set sheath1 peer "$(wg show sheath1 peers | head -1)" remove'],
  ipsec: ['ip xfrm policy flush', 'ip xfrm state flush'],
};

export function strictSuite(options: StrictOptions): void {
  const families = options.onlyIPv6 === true ? '-6' : '-4 -6';
  const routesGone = `for f in ${families}; do ip $f route flush table 51830; done`;
  describe(`strict mode: three agents, ${options.encryption} in the kernel${options.onlyIPv6 === true ? ', IPv6 alone' : ''}`, function () {
    this.timeout(120_000);
    let mesh: StrictMesh;

    before(async () => {
      mesh = await StrictMesh.create(options);
    });
    after(() => mesh?.close());

    it('the inverse: without encryption all of it is seen', async () => {
      const seen = await mesh.watch(() => sleep(500));
      assert.equal(seen.traffic.lost, 0);
      const pods = mesh.lab.topology.members.flatMap((node) =>
        node.pods.flatMap(({ addresses }) => addresses),
      );
      const clear = new Set(mesh.leaks(seen).flatMap(({ from, to }) => [from, to]));
      assert.deepEqual(
        pods.filter((pod) => !clear.has(pod)),
        [],
      );
    });

    it('who joins says nothing in clear, before and after', async () => {
      await mesh.say(mesh.strict);
      for (const node of ['n1', 'n2']) await startNode(mesh.lab, node);
      const shut = ({ door }: { door?: { shut: boolean } }) => door?.shut === true;
      await mesh.until(shut, 'n1', 'n2');
      const alone = await mesh.watch(async () => {
        await sleep(1000);
        await startNode(mesh.lab, 'n3');
        await mesh.until(shut, 'n3');
      });
      assert.deepEqual(mesh.leaks(alone, ['n1', 'n2']), [], 'n3 had no agent yet');
      const joining = await mesh.watch(() => mesh.untilEncrypted());
      assert.deepEqual(mesh.leaks(joining), []);
      assert.ok((await mesh.dropped('n1')) > 0, 'what n3 sent in clear was dropped');
    });

    it('then all of it arrives, and nothing is seen', async () => {
      const seen = await mesh.watch(() => sleep(1000));
      assert.equal(seen.traffic.lost, 0);
      assert.deepEqual(mesh.leaks(seen), []);
    });

    it('whatever somebody takes away, nothing is seen, and all is repaired', async () => {
      const all = [
        ...HANDS[options.encryption],
        `for f in ${families}; do ip $f route flush table 51830; ip $f rule del pref 95; done`,
        'nft delete table inet sheath; ip link del sheath1',
        'ip link del sheath1',
      ];
      const seen = await mesh.watch(async () => {
        for (const hand of all) {
          await mesh.on('n1', hand);
          await sleep(700);
          await mesh.untilEncrypted();
        }
      });
      assert.deepEqual(mesh.leaks(seen), []);
      await mesh.untilAllArrives();
    });

    it('all tables flushed: nothing is seen though a tunnel is gone, what was stopped is counted, and all is back', async () => {
      const before = await mesh.dropped('n1');
      const seen = await mesh.watch(async () => {
        // With the tunnels there, nothing would leave in clear anyway; and an agent would put them back at once.
        const pid = (await agentPid(mesh.lab, nodeNamed(mesh.lab, 'n1'))) ?? 0;
        assert.ok(pid > 0);
        process.kill(pid, 'SIGSTOP');
        try {
          await mesh.on('n1', `${routesGone}; nft flush ruleset`);
          await sleep(300);
        } finally {
          process.kill(pid, 'SIGCONT');
        }
        const tables = () => mesh.on('n1', 'nft list tables');
        const back = /inet sheath\n.*inet sheath-guard|inet sheath-guard\n.*inet sheath\b/s;
        for (let tries = 0; tries < 100 && !back.test(await tables()); tries++) await sleep(100);
        assert.match(await tables(), back);
        await mesh.untilEncrypted();
      });
      assert.deepEqual(mesh.leaks(seen), []);
      assert.ok((await mesh.dropped('n1')) > before);
      assert.equal((await mesh.status('n1')).door?.breach, undefined);
      await mesh.untilAllArrives();
    });

    it('the inverse: flushed with nobody there to hold the keep, it is seen', async () => {
      await killNode(mesh.lab, 'n1', 'agent');
      const seen = await mesh.watch(async () => {
        await mesh.on('n1', `${routesGone}; nft flush ruleset`);
        await sleep(300);
      });
      assert.ok(mesh.leaks(seen, ['n1']).length > 0);
      await startNode(mesh.lab, 'n1');
      await mesh.untilEncrypted();
      await mesh.untilAllArrives();
    });

    it('the agent is killed, and then the device deleted: nothing passes, nothing is seen', async () => {
      await killNode(mesh.lab, 'n1', 'agent');
      const seen = await mesh.watch(async () => {
        await sleep(300);
        await mesh.on('n1', 'ip link del sheath1');
        await sleep(300);
        await startNode(mesh.lab, 'n1');
        await mesh.untilEncrypted();
      });
      assert.deepEqual(mesh.leaks(seen), []);
    });

    it('a node that boots says nothing in clear, though its pods speak before its agent does', async () => {
      await killNode(mesh.lab, 'n2', 'node');
      await bootNode(mesh.lab, 'n2');
      assert.deepEqual(mesh.leaks(await mesh.watch(() => sleep(500))), []);
      await startNode(mesh.lab, 'n2');
      await mesh.untilEncrypted();
      await mesh.untilAllArrives();
    });

    it('the inverse: without what its disk has for that it is seen, until an agent shuts the door, though the API is away', async () => {
      await killNode(mesh.lab, 'n2', 'node');
      await rm(doorAtBoot(mesh.lab, 'n2'));
      await mesh.cutApi();
      await bootNode(mesh.lab, 'n2');
      const open = await mesh.watch(() => sleep(300));
      assert.ok(mesh.leaks(open, ['n2']).length > 0);
      await startNode(mesh.lab, 'n2');
      await mesh.until(({ door }) => door?.shut === true, 'n2');
      const seen = await mesh.watch(() => mesh.until(({ state }) => state === 'encrypted'));
      assert.deepEqual(mesh.leaks(seen), []);
      await mesh.joinApi();
      await mesh.until(({ records }) => records.connected);
    });

    it('the door opens and shuts on a live mesh, and nothing is lost', async () => {
      const seen = await mesh.watch(async () => {
        await mesh.say({ ...mesh.strict, mode: 'permissive' });
        await mesh.until(({ mode, door }) => mode === 'permissive' && door?.shut !== true);
        await mesh.say(mesh.strict);
        await mesh.untilEncrypted();
      });
      assert.equal(seen.traffic.lost, 0);
      assert.deepEqual(mesh.leaks(seen), []);
    });

    it('scope nodes: nothing is lost when it begins, when the door shuts for hosts too, and when the tables change', async () => {
      const nodes = { ...mesh.strict, scope: 'nodes' as const };
      const routing = {
        ...{ table: 4000, podTable: 4001, rulePriority: 60, podRulePriority: 59 },
        // States keep the mark that they were made with: until IPsec's sessions are replaced, hosts' packets to each other are lost.
        ...(options.encryption === 'wireguard' && { fwmark: '0x20000/0x20000' }),
      };
      const seen = await mesh.watch(async () => {
        // A door that shuts for hosts while another node still sends them in clear would stop that: so it is open meanwhile.
        await mesh.say({ ...nodes, mode: 'permissive' });
        await mesh.until(
          ({ scope, state, mode }) => scope === 'nodes' && state === 'encrypted' && mode === 'permissive',
        );
        await mesh.say(nodes);
        await mesh.untilEncrypted();
        await mesh.say({ ...nodes, routing });
        await sleep(1000);
        await mesh.say(nodes);
        await sleep(1000);
      });
      assert.equal(seen.traffic.lost, 0);
      assert.deepEqual(mesh.leaks(seen), []);
      const after = await mesh.watch(() => sleep(300), { between: 'nodes' });
      assert.equal(after.traffic.lost, 0);
      assert.deepEqual(after.wire.clearBetween, []);
    });

    it('encryption goes: the doors open first, and nothing is lost', async () => {
      const seen = await mesh.watch(async () => {
        await mesh.say({ ...mesh.strict, scope: 'nodes', encryption: 'none', mode: 'permissive' });
        await mesh.until(({ state }) => state === 'plaintext');
      });
      assert.equal(seen.traffic.lost, 0);
      assert.doesNotMatch(await mesh.on('n1', 'nft list tables; ip link'), /inet sheath|sheath[01]/);
    });
  });
}
