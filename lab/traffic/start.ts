/** Traffic in a process of its own, so that whoever measures is not held up by whoever asks. */
import { spawn } from 'node:child_process';
import { setPriority } from 'node:os';
import { createInterface } from 'node:readline';
import { LabError } from '../errors.ts';
import type { Lab } from '../nodes/folder.ts';
import { lastWords } from '../nodes/last-words.ts';
import { exited } from '../processes.ts';
import type { TrafficReport } from './report.ts';
import type { TrafficOptions } from './run.ts';

export interface Traffic {
  /** Counts so far; packets under way count as lost. */
  report(): Promise<TrafficReport>;
  /** Stops it, and returns what it counted from first to last. */
  stop(): Promise<TrafficReport>;
}

/** What the process prints on standard output, one JSON document a line. */
export type TrafficEvent =
  | { readonly type: 'started' }
  | { readonly type: 'report'; readonly report: TrafficReport };

/** Starts steady traffic in the lab; resolves when packets flow. */
export async function startTraffic(lab: Lab, options: TrafficOptions = {}): Promise<Traffic> {
  const [program = '', ...args] = [...lab.spec.program, ...trafficArguments(lab, options), '--events'];
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  if (child.pid !== undefined) preferred(child.pid);
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint += text;
  });
  child.stdin.on('error', () => undefined);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<TrafficEvent> => {
    const { value, done } = await lines.next();
    if (done) throw new LabError('LAB_TRAFFIC_FAILED', lastWords(complaint) || 'the traffic ended by itself');
    return JSON.parse(value) as TrafficEvent;
  };
  const ask = async (word: string): Promise<TrafficReport> => {
    child.stdin.write(`${word}\n`);
    const event = await next();
    if (event.type !== 'report')
      throw new LabError('LAB_TRAFFIC_FAILED', `the traffic answered ${event.type}`);
    return event.report;
  };
  await next();
  return {
    report: () => ask('report'),
    async stop() {
      const report = await ask('stop');
      await exited(child);
      return report;
    },
  };
}

/** What measures goes before what is measured: a receiver that waits for the CPU loses what the network did not. */
function preferred(pid: number): void {
  try {
    setPriority(pid, -10);
  } catch {
    // Not allowed, or gone already; `stalledMs` of the report then tells.
  }
}

function trafficArguments(lab: Lab, options: TrafficOptions): readonly string[] {
  return [
    ...['lab', 'traffic', '--name', lab.name],
    ...(options.rate === undefined ? [] : ['--rate', String(options.rate)]),
    ...(options.between === undefined ? [] : ['--between', options.between]),
    ...(options.size === undefined ? [] : ['--size', String(options.size)]),
    ...(options.firstPort === undefined ? [] : ['--first-port', String(options.firstPort)]),
    ...(options.only === undefined ? [] : ['--only', ...options.only]),
    ...(options.answers ? ['--answers'] : []),
    ...(options.connected ? ['--connected'] : []),
    ...(options.tcp ? ['--tcp'] : []),
  ];
}
