// kernel suite: kernels newest, memory 3G, timeout 900
/**
 * Agents with both drivers: what ails charon is nothing to WireGuard, nor to other nodes. One boot for all of it, so these tests go on from
 * each other, in this order.
 */
import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { nodeNamed, startAgent, stopAgent } from '../../lab/nodes/agents.ts';
import { nodeFolders, openLab, writeSpec } from '../../lab/nodes/folder.ts';
import type { AgentStatus } from '../../operator/status.ts';
import { Mesh } from './mesh/mesh.ts';

type Driver = 'wireguard' | 'ipsec';

/** Within 40 s. */
const soon = (test: string): string => `for i in $(seq 400); do ${test} && exit; sleep 0.1; done; exit 1`;

const NODES = ['n1', 'n2', 'n3'];
const BROKEN = 'n3';

const held = ({ generations }: AgentStatus): string =>
  generations.map(({ number, driver }) => `${number} ${driver}`).join();
const routedBy = ({ peers }: AgentStatus): string =>
  peers.map(({ node, state, driver }) => `${node} ${state} ${driver}`).join();
const waitedFor = (waiting: NonNullable<AgentStatus['waiting']>): string =>
  waiting.map(({ node, code }) => `${node} ${code}`).join();
const codes = ({ problems }: AgentStatus): readonly string[] => problems.map(({ code }) => code);

describe('agents with both drivers', function () {
  this.timeout(240_000);
  let mesh: Mesh;

  before(async () => {
    mesh = await Mesh.create({ withoutAgents: true, name: 'both' });
    await writeFile(
      join(mesh.lab.folder, 'bin', 'charon-systemd'),
      `#!/bin/sh\n[ -e "${mesh.lab.folder}/broken-$NODE_NAME" ] && { echo broken >&2; exit 1; }\nexec /usr/sbin/charon-systemd "$@"\n`,
      { mode: 0o755 },
    );
  });
  after(() => mesh?.close());

  const broken = (node: string): string => join(mesh.lab.folder, `broken-${node}`);
  const charonOf = (node: string): string => `${nodeFolders(mesh.lab, node).run}/ipsec/charon.pid`;

  /** All agents anew, one after the other, with these flags. */
  async function wish(encryption: Driver, generation: number): Promise<void> {
    const agentFlags = ['--generation', String(generation), '--rotation-drain', '5s'];
    await writeSpec(mesh.lab.folder, { ...mesh.lab.spec, encryption, agentFlags });
    mesh.lab = await openLab(mesh.lab.name);
    for (const node of mesh.lab.topology.members) {
      await stopAgent(mesh.lab, node);
      await startAgent(mesh.lab, node);
    }
  }

  const until = (wanted: (status: AgentStatus) => boolean, ...names: readonly string[]) =>
    mesh.until(wanted, ...(names.length === 0 ? NODES : names));
  const untilOn = (generation: number, driver: Driver) =>
    until(
      (status) =>
        held(status) === `${generation} ${driver}` &&
        status.peers.every((peer) => peer.state === 'routed' && peer.driver === driver),
    );

  it('with WireGuard there is no charon', async () => {
    await wish('wireguard', 1);
    await untilOn(1, 'wireguard');
    await mesh.onEach(
      'test -z "$(ip netns pids "$(ip netns identify)" | xargs -r ps -o comm= | grep charon)"',
    );
    for (const node of NODES) await mesh.on(node, `test ! -e ${charonOf(node)}`);
  });

  it('a node whose charon does not start keeps WireGuard, and with it all others do; it is named', async () => {
    await writeFile(broken(BROKEN), '');
    const measured = await mesh.losslessly(async () => {
      await wish('ipsec', 2);
      await until((status) => held(status) === '1 wireguard,2 ipsec', 'n1', 'n2');
      await until((status) => routedBy(status).includes('n2 routed ipsec'), 'n1');
      await until((status) => codes(status).includes('DRIVER_UNABLE'), BROKEN);
    });
    assert.deepEqual(measured.wire.clearBetween, []);
    await until(({ waiting = [] }) => waitedFor(waiting) === `${BROKEN} UNABLE`, 'n1', 'n2');
    assert.equal(routedBy(await mesh.status('n1')), 'n2 routed ipsec,n3 routed wireguard');
    const last = await mesh.status(BROKEN);
    assert.equal(held(last), '1 wireguard');
    assert.equal(routedBy(last), 'n1 routed wireguard,n2 routed wireguard');
  });

  it('it follows by itself when its charon is well', async () => {
    await rm(broken(BROKEN));
    await mesh.losslessly(() => untilOn(2, 'ipsec'));
  });

  it('a charon that hangs keeps no route from being put back, nor the way back to WireGuard', async () => {
    await mesh.on('n1', `kill -STOP $(cut -d" " -f1 ${charonOf('n1')})`);
    await mesh.on('n1', 'ip route flush table 51830');
    await mesh.on('n1', soon('[ "$(ip route show table 51830 | grep -c sheath)" -ge 2 ]'));
    await mesh.losslessly(async () => {
      await wish('wireguard', 3);
      await untilOn(3, 'wireguard');
    });
    for (const node of NODES) {
      await mesh.on(node, soon(`[ ! -e ${charonOf(node)} ]`));
      assert.equal(await mesh.on(node, 'ip xfrm state; ip xfrm policy'), '');
    }
    await until((status) => codes(status).length === 0);
  });

  it('another driver at the generation that is held changes nothing, and says what to do', async () => {
    await wish('ipsec', 3);
    await until((status) => codes(status).includes('DRIVER_HELD'));
    const { problems } = await mesh.status('n1');
    assert.match(problems[0]?.message ?? '', /raise spec\.generation to 4/);
    assert.equal(routedBy(await mesh.status('n1')), 'n2 routed wireguard,n3 routed wireguard');
  });

  it('off and on again with the other driver, at the same number', async () => {
    await mesh.losslessly(() => mesh.switchTo('none'));
    await mesh.losslessly(async () => {
      await wish('ipsec', 3);
      await untilOn(3, 'ipsec');
    });
  });

  it('after a reboot it has its key from disk, and a charon', async () => {
    const key = ({ generations }: AgentStatus) => generations[0]?.publicKey;
    const before = key(await mesh.status('n1'));
    const node = nodeNamed(mesh.lab, 'n1');
    await stopAgent(mesh.lab, node, 'SIGKILL');
    await mesh.on(
      'n1',
      `kill -9 $(cut -d" " -f1 ${charonOf('n1')}); ip link del sheath1; ip xfrm state flush; ip xfrm policy flush`,
    );
    await rm(nodeFolders(mesh.lab, 'n1').run, { recursive: true });
    await startAgent(mesh.lab, node);
    await untilOn(3, 'ipsec');
    assert.equal(key(await mesh.status('n1')), before);
    await mesh.losslessly(async () => {});
  });

  it('what an agent leaves that is gone for good, "sheath cleanup" takes back, charon among it', async () => {
    await stopAgent(mesh.lab, nodeNamed(mesh.lab, 'n1'), 'SIGKILL');
    await mesh.on('n1', `test -e ${charonOf('n1')}`);
    await mesh.on('n1', `${mesh.lab.spec.program.join(' ')} cleanup`);
    await mesh.on('n1', `test ! -e ${charonOf('n1')} && test ! -e /sys/class/net/sheath1`);
    assert.equal(await mesh.on('n1', 'ip xfrm state; ip xfrm policy'), '');
  });
});
