/** A lab on this machine's own kernel: without agents, for what they do is tested elsewhere. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { apiTarget } from '../../lab/api-client.ts';
import { startCapture } from '../../lab/capture/start.ts';
import { listNodes } from '../../lab/node-objects.ts';
import { type Lab, labFolder, openLab } from '../../lab/nodes/folder.ts';
import { killNode, labDown, labUp, runInNode, startNode } from '../../lab/nodes/lab.ts';
import { runTraffic } from '../../lab/traffic/run.ts';

const NAME = 'labtest';
const namespaces = (): string[] =>
  readdirSync('/run/netns').filter((name) => name.startsWith(`sheath.${NAME}.`));

describe('a lab', function () {
  this.timeout(60_000);
  let lab: Lab;

  before(async () => {
    await labDown(NAME);
    lab = await labUp({ name: NAME, nodes: 2, pods: 2, ipv6: true, withoutAgents: true });
  });
  after(() => labDown(NAME));

  it('says that it is up already', async () => {
    await assert.rejects(labUp({ name: NAME }), {
      code: 'LAB_EXISTS',
      message: /sheath lab down --name labtest/,
    });
    assert.equal(namespaces().length, 7, 'and leaves it alone');
  });

  it('has a Node for each node, with its addresses and prefixes', async () => {
    const nodes = await listNodes(await apiTarget(lab.kubeconfig));
    assert.deepEqual(
      nodes.map(({ metadata }) => metadata.name),
      ['n1', 'n2'],
    );
    assert.deepEqual(nodes[1]?.spec.podCIDRs, ['10.244.2.0/24', 'fd00:10:244:2::/64']);
    const addresses = nodes[1]?.status.addresses?.filter(({ type }) => type === 'InternalIP');
    assert.deepEqual(
      addresses?.map(({ address }) => address),
      ['192.0.2.12', '2001:db8::12'],
    );
  });

  it('reaches its API from a node', async () => {
    const list = await runInNode(lab, 'n2', ['kubectl', 'get', 'nodes', '-o', 'name']);
    assert.equal(list, 'node/n1\nnode/n2\n');
  });

  it('carries packets between pods and hosts, and a capture sees them', async () => {
    const capture = await startCapture(lab.topology);
    const traffic = await runTraffic(lab.topology, { rate: 20, between: 'all', tcp: true });
    await sleep(500);
    const report = await traffic.stop();
    const wire = await capture.stop();
    assert.equal(
      report.flows.length,
      2 * 2 * (4 + 4 + 1),
      'both ways, both families: pods, hosts with pods, hosts',
    );
    assert.equal(report.lost, 0);
    assert.equal(report.duplicates, 0);
    assert.deepEqual(
      report.tcp.map(({ resets }) => resets),
      [0, 0],
    );
    assert.ok(wire.clear >= report.received);
    assert.equal(wire.wireguard, 0);
    assert.equal(wire.dropped, 0);
  });

  it('counts what is lost, how long, and who refused it', async () => {
    const traffic = await runTraffic(lab.topology, { rate: 50, only: ['n1-p1', 'n2-p1'] });
    await sleep(300);
    execFileSync('ip', ['-n', lab.topology.wire, 'link', 'set', 'n2', 'down']);
    await sleep(500);
    execFileSync('ip', ['-n', lab.topology.wire, 'link', 'set', 'n2', 'up']);
    await sleep(1500);
    const report = await traffic.stop();
    assert.ok(report.lost >= 15, `${report.lost} lost`);
    assert.ok(report.longestSilenceMs >= 400, `${report.longestSilenceMs} ms`);
    assert.equal(report.sent - report.received, report.lost);
  });

  it('connects sockets of both families', async () => {
    const traffic = await runTraffic(lab.topology, { rate: 20, connected: true });
    await sleep(300);
    assert.equal((await traffic.stop()).lost, 0);
  });

  it('finds back through a masquerade when it counts answers', async () => {
    const masquerade =
      "nft add table ip m; nft 'add chain ip m p { type nat hook postrouting priority 100; }'; " +
      'nft add rule ip m p ip saddr 10.244.1.0/24 masquerade';
    await runInNode(lab, 'n1', ['sh', '-ec', masquerade]);
    const traffic = await runTraffic(lab.topology, { rate: 20, between: 'hosts', answers: true });
    await sleep(300);
    assert.equal((await traffic.stop()).lost, 0);
  });

  it('loses a node and gets it back, with the network card it had', async () => {
    const card = (): Promise<string> => runInNode(lab, 'n1', ['cat', '/sys/class/net/eth0/address']);
    const before = await card();
    await killNode(lab, 'n1', 'node');
    assert.equal(namespaces().length, 4);
    const { createNodeNetwork } = await import('../../lab/nodes/network.ts');
    const [node] = lab.topology.members;
    assert.ok(node);
    await createNodeNetwork(lab.topology, node);
    assert.equal(await card(), before);
    await runInNode(lab, 'n1', ['ping', '-c', '1', '-W', '5', '10.244.2.2']);
  });

  it('knows its nodes', async () => {
    await assert.rejects(startNode(lab, 'n9'), { code: 'LAB_NODE_UNKNOWN', message: /it has n1, n2/ });
    await assert.rejects(openLab('nobody'), { code: 'LAB_ABSENT', message: /sheath lab up --name nobody/ });
    await assert.rejects(labUp({ name: 'No Name' }), { code: 'LAB_NAME_INVALID' });
  });

  it('is gone without a trace, though its folder was lost', async () => {
    const pid = Number(
      /\d+/.exec(execFileSync('cat', [`${labFolder(NAME)}/api.pid`], { encoding: 'utf8' }))?.[0],
    );
    assert.equal(await labDown(NAME), true);
    assert.deepEqual(namespaces(), []);
    assert.equal(existsSync(labFolder(NAME)), false);
    assert.equal(
      existsSync(`/proc/${pid}/cmdline`) &&
        /sheath/.test(execFileSync('cat', [`/proc/${pid}/cmdline`], { encoding: 'utf8' })),
      false,
    );
    assert.equal(await labDown(NAME), false);
  });

  it('that was cut short half way is taken away too', async () => {
    const stop = new AbortController();
    const building = labUp({
      name: NAME,
      withoutAgents: true,
      signal: stop.signal,
      progress: (line) => line.startsWith('API') && stop.abort(),
    });
    await assert.rejects(building);
    assert.deepEqual(namespaces(), []);
    execFileSync('ip', ['netns', 'add', `sheath.${NAME}.n1`]);
    rmSync(labFolder(NAME), { recursive: true, force: true });
    assert.equal(await labDown(NAME), true);
    assert.deepEqual(namespaces(), []);
  });
});
