/** Three nodes, a real kube-apiserver, and what the tests ask of them. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type CaptureReport, startCapture } from '../../../lab/capture/start.ts';
import { agentStatus, nodeNamed, untilAgents } from '../../../lab/nodes/agents.ts';
import type { Lab, LabSpec } from '../../../lab/nodes/folder.ts';
import {
  type LabOptions,
  labDown,
  labUp,
  runInNode,
  type Settings,
  setEncryption,
} from '../../../lab/nodes/lab.ts';
import { run } from '../../../lab/processes.ts';
import type { TrafficReport } from '../../../lab/traffic/report.ts';
import type { TrafficOptions } from '../../../lab/traffic/run.ts';
import { startTraffic } from '../../../lab/traffic/start.ts';
import type { AgentStatus } from '../../../operator/status.ts';
import { type KubeApiserver, startKubeApiserver } from '../../support/kube-apiserver.ts';
import type { View } from './view.ts';
import { wireguard } from './wireguard-view.ts';

const NAME = 'mesh';
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
/** User-mode Linux is slow, and the machine may be busy. */
const PATIENCE = 120_000;

export interface Measured {
  readonly view: View;
  readonly traffic: TrafficReport;
  readonly wire: CaptureReport;
}

export class Mesh {
  readonly server: KubeApiserver;
  /** Of the driver that it encrypts with. */
  readonly view: View;
  lab: Lab;

  private constructor(server: KubeApiserver, view: View, lab: Lab) {
    this.server = server;
    this.view = view;
    this.lab = lab;
  }

  /** Network and API; no agents yet, unless they are asked for. */
  static async create(options: LabOptions = { withoutAgents: true }, view: View = wireguard): Promise<Mesh> {
    const program = `${ROOT}dist/sheath.mjs`;
    if (!existsSync(program)) execFileSync(process.execPath, [`${ROOT}bundle.mjs`], { stdio: 'ignore' });
    const { name = NAME } = options;
    await labDown(name);
    const server = await startKubeApiserver();
    try {
      const lab = await labUp({
        name,
        nodes: 3,
        ipv6: true,
        kubeconfig: server.kubeconfigPath,
        patience: PATIENCE,
        ...options,
        program: [process.execPath, program],
      });
      return new Mesh(server, view, lab);
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  async close(): Promise<void> {
    await labDown(this.lab.name);
    await this.server.stop();
  }

  /** Starts every agent with `--encryption` and the flags, and resolves when all of them are where they should be. */
  async switchTo(encryption: LabSpec['encryption'], settings: Settings = {}): Promise<void> {
    this.lab = await setEncryption(this.lab.name, encryption, {
      patience: PATIENCE,
      agentFlags: [],
      ...settings,
    });
  }

  on(node: string, command: string): Promise<string> {
    return runInNode(this.lab, node, ['sh', '-ec', command]);
  }

  async onEach(command: string): Promise<void> {
    for (const { name } of this.lab.topology.members) await this.on(name, command);
  }

  inPod(pod: string, command: string): Promise<string> {
    return run(['ip', 'netns', 'exec', `sheath.${this.lab.name}.${pod}`, 'sh', '-c', command]);
  }

  async status(node: string): Promise<AgentStatus> {
    const status = await agentStatus(this.lab, nodeNamed(this.lab, node));
    assert.ok(status, `the agent of ${node} answers`);
    return status;
  }

  until(wanted: (status: AgentStatus) => boolean, ...names: readonly string[]): Promise<void> {
    const nodes = names.map((name) => nodeNamed(this.lab, name));
    return untilAgents(this.lab, wanted, { patience: PATIENCE, ...(nodes.length > 0 && { nodes }) });
  }

  kubectl(...args: readonly string[]): Promise<string> {
    return run(['kubectl', '--kubeconfig', this.server.kubeconfigPath, ...args]);
  }

  /** The very command that a person types; what it says. */
  async sheath(...args: readonly string[]): Promise<string> {
    return run([...this.lab.spec.program, ...args, '--kubeconfig', this.server.kubeconfigPath]);
  }

  /** Traffic and capture, for as long as `work` takes and a second more. */
  async measure(options: TrafficOptions, work: () => Promise<void> = async () => {}): Promise<Measured> {
    const capture = await startCapture(this.lab.topology);
    const traffic = await startTraffic(this.lab, options);
    try {
      await work();
      await sleep(1000);
    } catch (error) {
      await Promise.allSettled([traffic.stop(), capture.stop()]);
      throw error;
    }
    const report = await traffic.stop();
    return { view: this.view, traffic: report, wire: await capture.stop() };
  }

  /** 250 packets a second each way between two pods, in both families, of which `work` may lose none. */
  async losslessly(work: () => Promise<void>): Promise<Measured> {
    const measured = await this.measure({ rate: 250, only: ['n1-p1', 'n2-p1'] }, work);
    assert.ok(measured.traffic.sent > 500, 'traffic was sent');
    assertNoneLost(measured);
    return measured;
  }
}

export function assertNoneLost({ traffic }: Measured): void {
  const losers = traffic.flows
    .filter((flow) => flow.lost > 0)
    .map(
      (flow) =>
        `${flow.from} to ${flow.to} IPv${flow.family}: ${flow.lost} of ${flow.sent} (the first: ${flow.firstLost}), silent ${flow.longestSilenceMs} ms, refused ${JSON.stringify(flow.refused)}`,
    );
  assert.equal(
    traffic.lost,
    0,
    `${losers.join('; ')}; the sender was held up ${traffic.stalledMs} ms at most`,
  );
}

/** Nobody on the wire could read any of it, and it did cross the wire. */
export function assertEncrypted({ view: { encryption }, wire, traffic }: Measured): void {
  assert.deepEqual(wire.clearBetween, [], 'seen in clear');
  assert.equal(wire.dropped, 0, 'the capture is complete');
  assert.ok(
    wire[encryption] >= traffic.received,
    `${wire[encryption]} ${encryption} frames for ${traffic.received} packets`,
  );
}
