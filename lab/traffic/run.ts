/** Steady numbered UDP packets between the places of a lab, all sent and counted in one process. */
import type { Socket } from 'node:dgram';
import { setTimeout as sleep } from 'node:timers/promises';
import { LabError } from '../errors.ts';
import { bindIn } from '../namespace-sockets.ts';
import type { Topology } from '../nodes/topology.ts';
import { addressOf, type Between, type Endpoint, type Pair, pairs, requirePlaces } from './endpoints.ts';
import { Flow } from './flow.ts';
import { type TrafficReport, total } from './report.ts';
import { TcpStream } from './tcp.ts';

export interface TrafficOptions {
  /** Packets a second of each flow; 20. */
  readonly rate?: number;
  readonly between?: Between;
  /** Names of the pods and nodes that take part; all unless given. */
  readonly only?: readonly string[];
  /**
   * Count answers: a packet has arrived when what its receiver sent back to whoever it seemed to come from has. So it
   * may be masqueraded on its way. Else each packet is counted where it arrives.
   */
  readonly answers?: boolean;
  /** Bytes of payload a packet; 64. */
  readonly size?: number;
  /** Sockets that are connected once at the start, and keep the route they then found. */
  readonly connected?: boolean;
  /** Of the sockets: two traffics in one lab need ports of their own; 20000. */
  readonly firstPort?: number;
  /** A TCP stream as well, between the first pod of the first node and that of the last. */
  readonly tcp?: boolean;
}

/** How long packets may be under way after the last was sent, in milliseconds. */
const STRAGGLERS_MS = 1000;
const TICK_MS = 4;
/** Packets of a flow. */
const MOST_AT_ONCE = 8;
const PRIME_EVERY_MS = 50;
const PRIME_TRIES = 20;

export interface RunningTraffic {
  /** Counts so far; packets under way count as lost. */
  report(): TrafficReport;
  /** Stops sending, waits for what is under way, closes the sockets. */
  stop(): Promise<TrafficReport>;
}

/** Opens every socket, then sends until `stop`. Throws `LAB_NODE_UNKNOWN`; `LAB_TRAFFIC_FAILED` when there is nobody to talk to. */
export async function runTraffic(lab: Topology, options: TrafficOptions = {}): Promise<RunningTraffic> {
  const rate = options.rate ?? 20;
  requirePlaces(lab, options.only ?? []);
  const chosen = pairs(lab, {
    between: options.between ?? 'pods',
    ordered: options.answers ?? false,
    ...(options.only && { only: options.only }),
    ...(options.firstPort !== undefined && { firstPort: options.firstPort }),
  });
  if (chosen.length === 0) throw new LabError('LAB_TRAFFIC_FAILED', nobody(lab, options));
  const sockets = await openAll(chosen);
  const now = (): number => performance.now();
  const connected = options.connected ?? false;
  const making = { sockets, connected, size: options.size ?? 64, now };
  const close = (): void => {
    for (const socket of sockets.values()) socket.close();
  };
  const make = options.answers ? answered : bothWays;
  const [flows, tcp] = await Promise.all([
    Promise.all(chosen.map((pair) => make(pair, making))).then((made) => made.flat()),
    options.tcp ? tcpStreams(lab) : [],
  ]).catch((error) => {
    close();
    throw error;
  });
  await prime(flows);
  const clock = new Ticker(flows, rate);
  const report = (): TrafficReport =>
    total(
      flows.map((flow) => flow.report()),
      {
        rate,
        durationMs: clock.elapsed(),
        stalledMs: clock.stalledMs,
        tcp: tcp.map((stream) => stream.report()),
      },
    );
  return {
    report,
    async stop() {
      clock.stop();
      await sleep(STRAGGLERS_MS);
      const result = report();
      close();
      for (const stream of tcp) stream.close();
      return result;
    },
  };
}

function nobody(lab: Topology, { between = 'pods', only }: TrafficOptions): string {
  if (lab.members.length === 1) return 'no traffic: the lab has one node only';
  const among = only ? ` among ${only.join(', ')}` : '';
  return `no traffic: --between ${between} finds no two of different nodes${among}`;
}

/**
 * Opens the way for each flow before anything is counted: what is measured is what a change of the mesh costs, not that a
 * neighbour has to be found first. A flow whose way is closed is counted all the same.
 */
async function prime(flows: readonly Flow[]): Promise<void> {
  for (let tries = 0; tries < PRIME_TRIES && flows.some((flow) => !flow.primed); tries += 1) {
    for (const flow of flows) if (!flow.primed) flow.prime();
    await sleep(PRIME_EVERY_MS);
  }
}

/** Sends what is due of every flow. */
class Ticker {
  #stalledMs = 0;
  readonly #start = performance.now();
  /** Later than the start by the time that was given up. */
  #since = this.#start;
  #end: number | undefined;
  readonly #timer: NodeJS.Timeout;

  constructor(flows: readonly Flow[], rate: number) {
    let last = this.#start;
    this.#timer = setInterval(() => {
      const now = performance.now();
      this.#stalledMs = Math.max(this.#stalledMs, now - last - TICK_MS);
      last = now;
      const due = Math.floor(((now - this.#since) * rate) / 1000) + 1;
      for (const flow of flows) {
        for (let burst = 0; flow.sent < due && burst < MOST_AT_ONCE; burst += 1) flow.send();
      }
      // A machine that is too slow for the rate would have time for nothing else, and a burst overflows the receivers.
      const behind = due - Math.max(0, ...flows.map(({ sent }) => sent));
      if (behind > 0) this.#since += (behind * 1000) / rate;
    }, TICK_MS);
  }

  get stalledMs(): number {
    return Math.round(this.#stalledMs);
  }

  elapsed(): number {
    return Math.round((this.#end ?? performance.now()) - this.#start);
  }

  stop(): void {
    this.#end = performance.now();
    clearInterval(this.#timer);
  }
}

interface Making {
  readonly sockets: ReadonlyMap<string, Socket>;
  readonly connected: boolean;
  readonly size: number;
  readonly now: () => number;
}

async function bothWays(pair: Pair, making: Making): Promise<readonly Flow[]> {
  const ends = endsOf(pair, making.sockets);
  if (making.connected) {
    await Promise.all(ends.map(({ socket, towards }) => connect(socket, pair.port, towards)));
  }
  return ends.map(({ from, to, socket, towards }, at) => {
    const receiver = ends[1 - at]?.socket ?? socket;
    const destination = { address: towards, port: pair.port };
    return new Flow({ ...making, family: pair.family, from, to, sender: socket, receiver, destination });
  });
}

async function answered(pair: Pair, making: Making): Promise<readonly Flow[]> {
  const [asking, answering] = endsOf(pair, making.sockets);
  const { from, to, socket, towards } = asking;
  if (making.connected) await connect(socket, pair.port, towards);
  answering.socket.on('message', (message, { port, address }) => {
    answering.socket.send(message, port, address, () => undefined);
  });
  const destination = { address: towards, port: pair.port };
  return [
    new Flow({ ...making, family: pair.family, from, to, sender: socket, receiver: socket, destination }),
  ];
}

interface End {
  readonly from: string;
  readonly to: string;
  readonly socket: Socket;
  /** Address of the other end. */
  readonly towards: string;
}

function endsOf(pair: Pair, sockets: ReadonlyMap<string, Socket>): readonly [End, End] {
  const { one, other, family } = pair;
  const [left, right] = [sockets.get(socketKey(one, pair)), sockets.get(socketKey(other, pair))];
  if (!left || !right)
    throw new LabError('LAB_TRAFFIC_FAILED', `no socket for ${one.name} and ${other.name}`);
  return [
    { from: one.name, to: other.name, socket: left, towards: addressOf(other, family) },
    { from: other.name, to: one.name, socket: right, towards: addressOf(one, family) },
  ];
}

function connect(socket: Socket, port: number, address: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  // It also calls back with what went wrong, which its types leave out.
  const done = (error?: Error): void => {
    if (error) reject(error);
    else resolve();
  };
  socket.connect(port, address, done);
  return promise;
}

/** One helper an endpoint opens all its sockets. */
async function openAll(chosen: readonly Pair[]): Promise<ReadonlyMap<string, Socket>> {
  const ends = new Map<Endpoint, Pair[]>();
  for (const pair of chosen) {
    for (const end of [pair.one, pair.other]) ends.set(end, [...(ends.get(end) ?? []), pair]);
  }
  const sockets = new Map<string, Socket>();
  try {
    for (const [end, mine] of ends) {
      for (const [pair, socket] of await openOf(end, mine)) sockets.set(socketKey(end, pair), socket);
    }
  } catch (error) {
    // They would keep this process alive.
    for (const socket of sockets.values()) socket.close();
    throw error;
  }
  return sockets;
}

async function openOf(end: Endpoint, mine: readonly Pair[]): Promise<readonly (readonly [Pair, Socket])[]> {
  const wanted = mine.map(({ family, port }) => ({ address: addressOf(end, family), port }));
  const opened = await bindIn(end.netns, wanted);
  return opened.flatMap((socket, at) => {
    // ECONNREFUSED and the like on a connected socket: the packet is counted as lost.
    socket.on('error', () => undefined);
    const pair = mine[at];
    return pair === undefined ? [] : [[pair, socket] as const];
  });
}

function socketKey(end: Endpoint, pair: Pair): string {
  return `${end.name} ${pair.port}`;
}

async function tcpStreams(lab: Topology): Promise<readonly TcpStream[]> {
  const [first] = lab.members[0]?.pods ?? [];
  const [last] = lab.members.at(-1)?.pods ?? [];
  if (!first || !last || first === last) return [];
  const families = first.addresses.length === 2 ? ([4, 6] as const) : ([4] as const);
  return Promise.all(families.map((family) => TcpStream.open(first, last, family)));
}
