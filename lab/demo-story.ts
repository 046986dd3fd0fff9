/** What the demo shows, step by step. Each claim is made of what was measured just before it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { formatPeers } from '../cli/format/peers.ts';
import { verdict } from '../cli/format/status.ts';
import type { Driver } from '../mesh/progress.ts';
import type { AgentStatus } from '../operator/status.ts';
import type { CaptureReport } from './capture/start.ts';
import { leftInNode } from './demo-leftovers.ts';
import { type DemoOptions, Stage } from './demo-stage.ts';
import { untilAgents } from './nodes/agents.ts';
import { killNode, startNode, untilSettled } from './nodes/lab.ts';

const OPENING = [
  'Sheath: three nodes on this machine, each a network namespace with a pod behind',
  'it, a real agent on each, and a small API server between them. All pods talk to',
  'each other all the time, in IPv4 and IPv6, while we look at the wire between the',
  'nodes. Each of their packets says "sheath-lab-marker": look for it. They are',
  'counted from when each flow has passed once in clear, to the very last.',
];

/** Milliseconds. */
const PATIENCE = 30_000;

/** Who encrypts in the kernel, and who where that cannot. */
const WHO = {
  wireguard: { name: 'WireGuard', instead: 'wireguard-go' },
  ipsec: { name: 'ESP', instead: 'charon' },
} as const;

export class Demo {
  readonly #stage: Stage;
  /** What encrypts now. */
  #driver: Driver;

  constructor(options: DemoOptions) {
    this.#stage = new Stage(options);
    this.#driver = options.driver;
  }

  /** @throws when something cannot be shown, or the signal aborted. */
  async tell(): Promise<void> {
    this.#stage.options.narrator.open(OPENING);
    await this.#threeNodes();
    await this.#inClear();
    await this.#encryptionOn();
    await this.#unreadable();
    await this.#peerTable();
    await this.#rotation();
    await this.#nodeKilled();
    await this.#moved();
    await this.#encryptionOff();
    await this.#nothingLost();
  }

  close(): Promise<void> {
    return this.#stage.close();
  }

  async #threeNodes(): Promise<void> {
    const { narrator } = this.#stage.options;
    narrator.step('Three nodes, no encryption');
    await this.#stage.set();
  }

  async #inClear(): Promise<void> {
    const { narrator } = this.#stage.options;
    narrator.step('What the wire between the nodes shows: everything');
    const report = await this.#stage.look();
    this.#stage.dump('The first frame that an onlooker sees:', report.samples.clear);
    this.#allReadable(report);
  }

  async #encryptionOn(): Promise<void> {
    const { narrator, signal } = this.#stage.options;
    const flags = this.#driver === 'wireguard' ? [] : ['--encryption', this.#driver];
    narrator.step(`Encryption on, for all: ${['sheath enable', ...flags, '--wait'].join(' ')}`);
    await this.#stage.sheath('enable', ...flags);
    const lab = this.#stage.lab;
    await untilSettled(lab, { signal });
    for (const node of lab.topology.members) {
      const status = await this.#stage.status(node.name);
      const isWell = status.state === 'encrypted' && status.peers.length === 2;
      narrator.claim(verdict(status, this.#stage.view(status)), isWell);
    }
    narrator.say(this.#implementation(await this.#stage.status('n1')));
  }

  /** Who encrypts: the kernel, or a program where it cannot. */
  #implementation({ devices }: AgentStatus): string {
    const { name, instead } = WHO[this.#driver];
    return devices.some((device) => device.implementation === 'userspace')
      ? `This kernel has no ${name}: ${instead} does it, in user space.`
      : `The kernel's own ${name} does it.`;
  }

  async #unreadable(): Promise<void> {
    const { narrator } = this.#stage.options;
    narrator.step('The same traffic on the same wire: nothing to read');
    const report = await this.#stage.look();
    this.#stage.dump('The first frame that an onlooker sees:', report.samples[this.#driver]);
    this.#nothingReadable(report);
  }

  async #peerTable(): Promise<void> {
    const { narrator } = this.#stage.options;
    narrator.step('How n1 sees its peers: sheath peers');
    await this.#untilCarried('n1');
    const status = await this.#stage.status('n1');
    const rows = status.peers.map((peer) => ({ seenBy: status.node, ...peer }));
    narrator.show(formatPeers(rows, this.#stage.view(status)).trimEnd().split('\n'), 0);
    narrator.claim(
      'both are routed and both sent and received bytes',
      rows.length === 2 &&
        rows.every((row) => row.state === 'routed' && row.receivedBytes > 0 && row.sentBytes > 0),
    );
  }

  /** An agent looks at what its tunnels carried every few seconds. */
  async #untilCarried(name: string): Promise<void> {
    const { lab, options } = this.#stage;
    const carried = ({ peers }: AgentStatus) =>
      peers.every(({ receivedBytes, sentBytes }) => receivedBytes > 0 && sentBytes > 0);
    const nodes = lab.topology.members.filter((node) => node.name === name);
    await untilAgents(lab, carried, { patience: PATIENCE, nodes, signal: options.signal });
  }

  async #rotation(): Promise<void> {
    const { narrator } = this.#stage.options;
    narrator.step('All keys are changed under traffic: sheath rotate --wait');
    const before = (await this.#stage.status('n1')).generations.map(({ number, publicKey }) => ({
      number,
      publicKey,
    }));
    this.#stage.lookAway();
    await this.#stage.sheath('rotate');
    const { clear } = await this.#stage.lookOn();
    const after = (await this.#stage.status('n1')).generations;
    const [old, fresh] = [before[0], after[0]];
    narrator.say(`n1 had ${old?.publicKey} of generation ${old?.number},`);
    narrator.say(`and has ${fresh?.publicKey} of generation ${fresh?.number}.`);
    narrator.claim(
      `n1 has one key, of generation ${fresh?.number}, and it is another`,
      after.length === 1 && fresh?.number === 2 && fresh.publicKey !== old?.publicKey,
    );
    narrator.claim(`${clear} frames with an address or the words of a pod in clear meanwhile`, clear === 0);
    const { lost, sent, losers } = await this.#stage.losses.soFar();
    narrator.show(losers);
    narrator.claim(`${lost} of ${sent} packets were lost so far`, lost === 0);
  }

  async #nodeKilled(): Promise<void> {
    const { narrator, signal } = this.#stage.options;
    const lab = this.#stage.lab;
    narrator.step('n3 loses power, with all that was in its memory, and comes back');
    const before = await this.#stage.losses.without('n3');
    narrator.show(before.losers);
    narrator.claim(
      `until then, ${before.lost} of ${before.sent} packets were lost between all pods`,
      before.lost === 0,
    );
    await killNode(lab, 'n3', 'node');
    const dead = performance.now();
    await sleep(1500, undefined, { signal });
    await startNode(lab, 'n3');
    await untilSettled(lab, { signal });
    const away = ((performance.now() - dead) / 1000).toFixed(1);
    const status = await this.#stage.status('n3');
    narrator.claim(
      `n3 is back and encrypted to both others, ${away}s after it died`,
      status.state === 'encrypted',
    );
    await this.#stage.losses.again(lab);
    this.#nothingReadable(await this.#stage.look());
  }

  /** Where the nodes can: this kernel may have the one, and not the other. */
  async #moved(): Promise<void> {
    const { narrator, signal } = this.#stage.options;
    const other: Driver = this.#driver === 'wireguard' ? 'ipsec' : 'wireguard';
    if (!(await this.#stage.canMoveTo(other))) return;
    narrator.step(`Moved under traffic: sheath enable --encryption ${other} --wait`);
    const before = await this.#stage.losses.soFar();
    this.#stage.lookAway();
    await this.#stage.sheath('enable', '--encryption', other);
    await untilSettled(this.#stage.lab, { signal });
    const { clear } = await this.#stage.lookOn();
    narrator.claim(`${clear} frames with an address or the words of a pod in clear meanwhile`, clear === 0);
    const report = await this.#stage.look();
    narrator.claim(
      `${report[other]} frames of ${WHO[other].name} since, ${report[this.#driver]} of ${WHO[this.#driver].name}`,
      report[other] > 0 && report[this.#driver] === 0,
    );
    this.#driver = other;
    const after = await this.#stage.losses.soFar();
    narrator.claim(
      `${after.lost - before.lost} of ${after.sent - before.sent} packets were lost meanwhile`,
      after.lost === before.lost && after.sent > before.sent,
    );
  }

  async #encryptionOff(): Promise<void> {
    const { narrator, signal } = this.#stage.options;
    narrator.step('Encryption off: sheath disable --wait');
    await this.#stage.sheath('disable');
    const lab = this.#stage.lab;
    await untilSettled(lab, { signal });
    const left = await Promise.all(lab.topology.members.map((node) => leftInNode(lab, node.name)));
    narrator.claim(
      `${left.flat().length} devices, rules, routes and tables of ours are left in the nodes`,
      left.flat().length === 0,
    );
    this.#allReadable(await this.#stage.look());
  }

  async #nothingLost(): Promise<void> {
    const { narrator } = this.#stage.options;
    narrator.step('From first to last');
    const total = await this.#stage.losses.stop();
    narrator.show(total.losers);
    narrator.claim(
      `${total.lost} of ${total.sent} packets were lost between the nodes that were alive`,
      total.lost === 0 && total.sent > 0,
    );
    const dropped = await this.#stage.endCapture();
    narrator.claim(`${dropped} frames escaped the capture`, dropped === 0);
  }

  #allReadable({ clear, wireguard, ipsec }: CaptureReport): void {
    this.#stage.options.narrator.claim(
      `${clear} frames with an address or the words of a pod, ${wireguard + ipsec} encrypted ones`,
      clear > 0 && wireguard + ipsec === 0,
    );
  }

  #nothingReadable(report: CaptureReport): void {
    const { narrator } = this.#stage.options;
    const { clear, clearBetween, [this.#driver]: encrypted } = report;
    narrator.show(clearBetween.map(({ from, to, frames }) => `in clear from ${from} to ${to}: ${frames}`));
    narrator.claim(
      `${clear} frames with an address or the words of a pod, ${encrypted} encrypted ones`,
      clear === 0 && encrypted > 0,
    );
  }
}
