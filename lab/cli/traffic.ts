/** `sheath lab traffic`: for a reader, and as the process that `startTraffic` speaks to. */
import { createInterface } from 'node:readline';
import { type Context, painter } from '../../cli/context.ts';
import { EXIT } from '../../cli/exit.ts';
import { type Output, render } from '../../cli/format/output.ts';
import { type CaptureReport, startCapture } from '../capture/start.ts';
import { openLab } from '../nodes/folder.ts';
import { currentEncryption } from '../nodes/mesh.ts';
import type { TrafficReport } from '../traffic/report.ts';
import { type RunningTraffic, runTraffic, type TrafficOptions } from '../traffic/run.ts';
import type { TrafficEvent } from '../traffic/start.ts';
import { formatCapture, formatTraffic } from './format.ts';

export interface TrafficCommand extends TrafficOptions {
  readonly name: string;
  /** Seconds; undefined: until SIGINT. */
  readonly seconds?: number;
  readonly output: Output;
  readonly events: boolean;
}

export async function trafficCommand(command: TrafficCommand, context: Context): Promise<void> {
  const lab = await openLab(command.name);
  if (command.events) {
    await converse(await runTraffic(lab.topology, command), context);
    return;
  }
  const capture = await startCapture(lab.topology);
  try {
    const running = await runTraffic(lab.topology, command);
    const until = command.seconds === undefined ? 'until you press Ctrl-C' : `for ${command.seconds} s`;
    const what = `traffic between ${command.between ?? 'pods'}, ${command.rate ?? 20}/s a flow`;
    context.err.write(`${what}, ${until} ...\n`);
    await waited(command.seconds, context.signal);
    const traffic = await running.stop();
    const wire = await capture.stop();
    await print(command, context, { traffic, wire });
    const leaked = (await currentEncryption(lab)) !== 'none' && wire.clear > 0;
    if (traffic.lost > 0 || leaked) context.exitCode = EXIT.wrong;
  } finally {
    await capture.stop();
  }
}

interface Measured {
  readonly traffic: TrafficReport;
  readonly wire: CaptureReport;
}

async function print(command: TrafficCommand, context: Context, { traffic, wire }: Measured): Promise<void> {
  const text = (wide: boolean): string => {
    const look = { paint: painter(context.out), wide };
    return formatTraffic(traffic, look) + formatCapture(wire, look);
  };
  const { samples: _, ...counts } = wire;
  context.out.write(await render({ traffic, wire: counts }, { output: command.output, text }));
}

/** Answers `report` and `stop`, a word a line; ends with the input too, so that it never outlives who asked. */
async function converse(running: RunningTraffic, context: Context): Promise<void> {
  const tell = (event: TrafficEvent): void => void context.out.write(`${JSON.stringify(event)}\n`);
  tell({ type: 'started' });
  const lines = createInterface({ input: process.stdin, signal: context.signal });
  for await (const word of lines) {
    if (word === 'report') tell({ type: 'report', report: running.report() });
    if (word === 'stop') break;
  }
  tell({ type: 'report', report: await running.stop() });
  lines.close();
  process.stdin.destroy();
}

function waited(seconds: number | undefined, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    const timer = seconds === undefined ? undefined : setTimeout(resolve, seconds * 1000);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
