/** Who watches a lab from first to last: all its packets, counted where they arrive, and everything that crosses its wire. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Capture, type CaptureReport, startCapture } from '../../../lab/capture/start.ts';
import type { Lab } from '../../../lab/nodes/folder.ts';
import type { FlowReport, TrafficReport } from '../../../lab/traffic/report.ts';
import { startTraffic, type Traffic } from '../../../lab/traffic/start.ts';
import type { Mesh } from '../mesh/mesh.ts';

/** Packets a second, each way, between all pods, in both families. */
const RATE = 250;
/** Of those that are as large as the tunnel takes. */
const FULL_SIZE_RATE = 50;
/** Headers of IPv6 and UDP: with these a packet is just as large as the tunnel takes. */
const HEADERS = 40 + 8;
/** A packet is lost when it has not arrived for this long, in milliseconds. */
const PATIENCE = 1000;

interface Phase {
  readonly name: string;
  /** By `performance.now()`. */
  readonly began: number;
  ended: number;
}

export class Onlooker {
  readonly #capture: Capture;
  readonly #traffic: readonly Traffic[];
  readonly #mtu: number;
  readonly #began = performance.now();
  readonly #phases: Phase[] = [];
  #clear: CaptureReport['clearBetween'] = [];
  #stopped = false;

  private constructor(capture: Capture, traffic: readonly Traffic[], mtu: number) {
    this.#capture = capture;
    this.#traffic = traffic;
    this.#mtu = mtu;
  }

  /** @param mtu of the tunnel, whichever there will be */
  static async start(lab: Lab, mtu: number): Promise<Onlooker> {
    const capture = await startCapture(lab.topology, { withoutMesh: true });
    const small = await startTraffic(lab, { rate: RATE, tcp: true });
    const large = await startTraffic(lab, {
      rate: FULL_SIZE_RATE,
      only: ['n1-p1', 'n2-p1'],
      size: mtu - HEADERS,
      firstPort: 30_000,
    });
    return new Onlooker(capture, [small, large], mtu);
  }

  /** Remembers when it was, so that a loss can be told by its cause. */
  async phase<T>(name: string, work: () => Promise<T>): Promise<T> {
    const phase: Phase = { name, began: performance.now(), ended: Number.POSITIVE_INFINITY };
    this.#phases.push(phase);
    const result = await work();
    phase.ended = performance.now();
    return result;
  }

  /** What crossed the wire since somebody looked away. */
  wire(): CaptureReport {
    return this.#capture.report();
  }

  lookAway(): void {
    this.#clear = [];
    this.#capture.reset();
  }

  async requireFullSize(mesh: Mesh): Promise<void> {
    const [link] = JSON.parse(await mesh.on('n1', 'ip -j link show sheath1')) as { mtu: number }[];
    assert.equal(link?.mtu, this.#mtu, 'the large packets are as large as the tunnel takes');
  }

  /** No packet lost until a moment ago, no connection broken, and nothing in clear since somebody looked away, or asked this. */
  async assertWell(): Promise<void> {
    await sleep(PATIENCE);
    const reports = await Promise.all(this.#traffic.map((traffic) => traffic.report()));
    this.#assertNoneLost(reports, PATIENCE);
    const before = this.#clear;
    this.#clear = this.wire().clearBetween;
    assert.deepEqual(this.#clear, before, 'seen in clear');
  }

  async conclude(): Promise<void> {
    this.#stopped = true;
    const reports = await Promise.all(this.#traffic.map((traffic) => traffic.stop()));
    const { dropped } = await this.#capture.stop();
    this.#assertNoneLost(reports, 0);
    assert.equal(dropped, 0, 'the capture is complete');
  }

  async close(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    await Promise.allSettled([...this.#traffic.map((traffic) => traffic.stop()), this.#capture.stop()]);
  }

  #assertNoneLost(reports: readonly TrafficReport[], underWay: number): void {
    for (const { rate, flows, tcp, stalledMs } of reports) {
      const lost = flows.flatMap((flow) => this.#loss(flow, { rate, underWay }));
      assert.deepEqual(lost, [], `the sender was held up ${stalledMs} ms at most`);
      const enough = (performance.now() - this.#began) * (rate / 1000) * 0.5;
      for (const { from, to, sent } of flows) assert.ok(sent > enough, `${from} to ${to}: ${sent} sent`);
      for (const { from, to, family, resets, receivedBytes } of tcp) {
        assert.equal(resets, 0, `TCP from ${from} to ${to} over IPv${family}`);
        assert.ok(receivedBytes > 0);
      }
    }
  }

  #loss(
    flow: FlowReport,
    { rate, underWay }: { readonly rate: number; readonly underWay: number },
  ): readonly string[] {
    const { from, to, family, sent, lost, firstLost, longestSilenceMs, refused } = flow;
    if (firstLost === undefined || firstLost >= sent - (rate * underWay) / 1000) return [];
    const at = firstLost / rate;
    return [
      `${from} to ${to} IPv${family}: ${lost} of ${sent} at ${at.toFixed(1)} s (${this.#phaseAt(at)}), silent ${longestSilenceMs} ms, refused ${JSON.stringify(refused)}`,
    ];
  }

  /** A busy machine sends late, and so the time that a packet's number tells is earlier than it was: hence "about". */
  #phaseAt(seconds: number): string {
    const time = this.#began + seconds * 1000;
    const phase = this.#phases.findLast(({ began }) => began <= time);
    return phase === undefined
      ? 'before all'
      : `about ${time > phase.ended ? 'after' : 'in'} "${phase.name}"`;
  }
}
