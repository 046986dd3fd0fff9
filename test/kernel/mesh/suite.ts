/**
 * The mesh as a whole: three agents on a real kernel against a real kube-apiserver, each started as
 * `sheath agent --node-name n1 --encryption wireguard --kubeconfig F --state-dir D --run-dir R`.
 * One boot and one API server for all of it, so these tests go on from each other, in this order.
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { agentCommand, nodeNamed } from '../../../lab/nodes/agents.ts';
import { startTraffic } from '../../../lab/traffic/start.ts';
import { changes } from './changes.ts';
import { assertEncrypted, assertNoneLost, Mesh } from './mesh.ts';
import { scopes } from './scopes.ts';
import { shape } from './shape.ts';
import type { View } from './view.ts';

/** Links, rules, routes of both families, firewall, and the sysctls we may touch. */
const FINGERPRINT = [
  // But for their operational state, which the kernel works out in its own time.
  'ip -br link | awk \'{ $2 = ""; print }\'',
  'ip rule; ip -6 rule; ip route show table all; nft list ruleset',
  'grep . /proc/sys/net/ipv4/conf/*/rp_filter /proc/sys/net/ipv4/conf/*/src_valid_mark',
].join('; ');

/** The same tests with every driver; what the kernel shows of it, the view tells. */
export function meshSuite(view: View): void {
  describe(`three agents, ${view.encryption} in the kernel, a real kube-apiserver`, function () {
    this.timeout(150_000);
    const { encryption } = view;
    let mesh: Mesh;
    /** What a node's network is like before we touch it. */
    let untouched: readonly string[];
    const fingerprint = async (): Promise<readonly string[]> => {
      const all = await mesh.on('n1', FINGERPRINT);
      // Link-local addresses come when their duplicates were looked for: ours or not, a second after the link.
      return all.split('\n').filter((line) => !line.includes('fe80::'));
    };

    before(async () => {
      mesh = await Mesh.create({ withoutAgents: true }, view);
      untouched = await fingerprint();
    });
    after(() => mesh?.close());

    describe('at first', () => {
      it('without encryption the wire shows everything', async () => {
        const measured = await mesh.measure({ rate: 20 }, () => sleep(1000));
        const { wire, traffic } = measured;
        assertNoneLost(measured);
        assert.ok(wire.clear >= traffic.received, 'what this capture cannot see, it could not miss later');
        assert.equal(wire[encryption], 0);
        assert.ok(wire.samples.clear?.includes('sheath-lab-marker'));
      });

      it('encryption comes while packets flow, and none is lost, on sockets of before too', async () => {
        const old = await startTraffic(mesh.lab, {
          rate: 10,
          between: 'all',
          connected: true,
          firstPort: 30_000,
          tcp: true,
        });
        await mesh.losslessly(() => mesh.switchTo(encryption));
        const [first] = mesh.lab.topology.members;
        assert.deepEqual(
          agentCommand(mesh.lab, first ?? nodeNamed(mesh.lab, 'n1')).slice(
            mesh.lab.spec.program.length,
            5 + mesh.lab.spec.program.length,
          ),
          ['agent', '--node-name', 'n1', '--encryption', encryption],
        );
        const during = await mesh.measure({ rate: 20 }, () => sleep(1000));
        const nodes = new Set(mesh.lab.topology.members.flatMap(({ addresses }) => addresses));
        const leaked = during.wire.clearBetween.filter(({ from, to }) => !(nodes.has(from) && nodes.has(to)));
        assert.deepEqual(leaked, [], 'pods, and hosts with pods, on sockets opened before');
        const report = await old.stop();
        assert.equal(report.lost, 0, JSON.stringify(report.flows.filter(({ lost }) => lost > 0)));
        assert.deepEqual(
          report.tcp.map(({ resets }) => resets),
          [0, 0],
        );
      });

      it('then the wire shows nothing', async () => {
        const measured = await mesh.measure({ rate: 50, tcp: true }, () => sleep(2000));
        assertNoneLost(measured);
        assertEncrypted(measured);
      });
    });

    describe('what is there to see', () => shape(() => mesh));
    describe('which packets are ours', () => scopes(() => mesh));
    describe('whatever happens', () => changes(() => mesh));

    describe('at last', () => {
      it('encryption goes while packets flow, none is lost, and all is as it was', async () => {
        await mesh.losslessly(() => mesh.switchTo('none'));
        assert.deepEqual(await fingerprint(), untouched);
        const { metadata } = JSON.parse(await mesh.kubectl('get', 'node', 'n1', '-o', 'json'));
        const left = Object.keys(metadata.annotations ?? {}).filter((key) => key.startsWith('sheath.dev/'));
        assert.deepEqual(left, []);
      });

      it('on an underlay with rp_filter=1 it comes, works and goes the same', async () => {
        await mesh.onEach('echo 1 >/proc/sys/net/ipv4/conf/eth0/rp_filter');
        const before = await fingerprint();
        await mesh.losslessly(() => mesh.switchTo(encryption));
        const measured = await mesh.measure({ rate: 20, between: 'hosts', answers: true }, () => sleep(1000));
        assertNoneLost(measured);
        assertEncrypted(measured);
        await mesh.losslessly(() => mesh.switchTo('none'));
        assert.deepEqual(await fingerprint(), before);
      });
    });
  });
}
