/** Everything that crosses the underlay of a lab, counted by what an onlooker can read of it. */
import { spawn } from 'node:child_process';
import { LabError } from '../errors.ts';
import type { Topology } from '../nodes/topology.ts';
import { exited } from '../processes.ts';
import { type ClassifierOptions, classifier, type FrameKind, MESH_PORTS } from './classify.ts';
import { PcapReader } from './pcap.ts';

export interface CaptureReport {
  readonly frames: number;
  readonly wireguard: number;
  /** ESP and IKE. */
  readonly ipsec: number;
  readonly clear: number;
  readonly other: number;
  /** Who was seen in clear, by how many frames; the most first. */
  readonly clearBetween: readonly { readonly from: string; readonly to: string; readonly frames: number }[];
  /** Frames that the kernel dropped before they were read: with any, nothing can be claimed. Known after `stop`. */
  readonly dropped?: number;
  /** First frame of each kind. */
  readonly samples: Readonly<Partial<Record<FrameKind, Buffer>>>;
}

export interface Capture {
  /** Since the start, or since the last `reset`. */
  report(): CaptureReport;
  /** Counts from here on. */
  reset(): void;
  stop(): Promise<CaptureReport>;
}

/** Enough of each frame to see addresses and marker. */
const SNAP_BYTES = 256;

export interface CaptureOptions extends ClassifierOptions {
  /** The kernel leaves out ESP and what is on the mesh's ports: far less work where much is encrypted, and `wireguard` and `ipsec` stay 0. */
  readonly withoutMesh?: boolean;
}

/** Captures on the bridge of the underlay; resolves when it listens. Throws `LAB_CAPTURE_FAILED`. */
export async function startCapture(lab: Topology, options: CaptureOptions = {}): Promise<Capture> {
  const ports = (options.ports ?? MESH_PORTS).map((port) => `udp port ${port}`);
  const mesh = [...ports, 'udp port 500', 'udp port 4500', 'ip proto 50', 'ip6 proto 50'];
  const filter = `(ip or ip6)${options.withoutMesh ? ` and not (${mesh.join(' or ')})` : ''}`;
  const tcpdump = [
    'tcpdump',
    '-i',
    'br0',
    '-w',
    '-',
    '-s',
    String(SNAP_BYTES),
    '-B',
    '16384',
    '--immediate-mode',
  ];
  const child = spawn('ip', ['netns', 'exec', lab.wire, ...tcpdump, '-Z', 'root', filter], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const counter = new Counter(lab, options);
  let since = 0;
  const reader = new PcapReader(({ at, bytes }) => {
    // What crossed the wire before the reset may be read only now.
    if (at >= since) counter.add(bytes);
  });
  child.stdout.on('data', (chunk: Buffer) => reader.push(chunk));
  const said = await listening(child.stderr);
  return {
    report: () => counter.report(),
    reset() {
      since = performance.timeOrigin + performance.now();
      counter.reset();
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return ended(counter, said());
      // What crossed the wire until now is on its way through tcpdump.
      await new Promise((resolve) => setTimeout(resolve, 100));
      child.kill('SIGINT');
      await exited(child);
      return ended(counter, said());
    },
  };
}

function ended(counter: Counter, said: string): CaptureReport {
  const dropped = /(\d+) packets? dropped by kernel/.exec(said)?.[1];
  return { ...counter.report(), dropped: Number(dropped ?? 0) };
}

/** Resolves at tcpdump's "listening on"; what it says is then to be had. */
function listening(stderr: NodeJS.ReadableStream): Promise<() => string> {
  let said = '';
  const { promise, resolve, reject } = Promise.withResolvers<() => string>();
  stderr.setEncoding('utf8');
  stderr.on('data', (text: string) => {
    said += text;
    if (said.includes('listening on')) resolve(() => said);
  });
  stderr.on('end', () =>
    reject(new LabError('LAB_CAPTURE_FAILED', `tcpdump: ${said.trim() || 'it ended at once'}`)),
  );
  return promise;
}

class Counter {
  readonly #classify;
  #counts: Record<FrameKind, number> = { wireguard: 0, ipsec: 0, clear: 0, other: 0 };
  #clear = new Map<string, number>();
  #samples: Partial<Record<FrameKind, Buffer>> = {};

  constructor(lab: Topology, options: ClassifierOptions) {
    this.#classify = classifier(lab, options);
  }

  add(frame: Buffer): void {
    const { kind, from = '', to = '' } = this.#classify(frame);
    this.#counts[kind] += 1;
    this.#samples[kind] ??= Buffer.from(frame);
    if (kind !== 'clear') return;
    const key = `${from} ${to}`;
    this.#clear.set(key, (this.#clear.get(key) ?? 0) + 1);
  }

  reset(): void {
    this.#counts = { wireguard: 0, ipsec: 0, clear: 0, other: 0 };
    this.#clear = new Map();
    this.#samples = {};
  }

  report(): CaptureReport {
    const { wireguard, ipsec, clear, other } = this.#counts;
    const clearBetween = [...this.#clear]
      .map(([key, frames]) => {
        const [from = '', to = ''] = key.split(' ');
        return { from, to, frames };
      })
      .sort((one, another) => another.frames - one.frames);
    return {
      frames: wireguard + ipsec + clear + other,
      wireguard,
      ipsec,
      clear,
      other,
      clearBetween,
      samples: { ...this.#samples },
    };
  }
}
