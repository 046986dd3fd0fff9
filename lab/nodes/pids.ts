/** Processes that outlive the program that started them, found again by number and start time. */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

interface Recorded {
  readonly pid: number;
  /** Clock ticks since boot when it started (proc(5), field 22): a reused number differs in it. */
  readonly start: string;
}

export async function recordPid(path: string, pid: number): Promise<void> {
  const record: Recorded = { pid, start: (await startTime(pid)) ?? 'gone' };
  await writeFile(path, JSON.stringify(record));
}

/** The number of the recorded process while it lives. */
export async function livingPid(path: string): Promise<number | undefined> {
  try {
    const { pid, start } = JSON.parse(await readFile(path, 'utf8')) as Recorded;
    return (await startTime(pid)) === start ? pid : undefined;
  } catch {
    return undefined;
  }
}

/** Sends the signal, and SIGKILL after `patience` milliseconds; resolves when the process is gone. */
export async function endPid(
  path: string,
  signal: NodeJS.Signals = 'SIGTERM',
  patience = 5000,
): Promise<void> {
  const deadline = performance.now() + patience;
  let sent: NodeJS.Signals | undefined;
  for (;;) {
    const pid = await livingPid(path);
    if (pid === undefined) break;
    const due = performance.now() > deadline ? 'SIGKILL' : signal;
    if (sent !== due) kill(pid, due);
    sent = due;
    await sleep(20);
  }
  await rm(path, { force: true });
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended in the meantime.
  }
}

async function startTime(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  // The name in parentheses may hold anything; a zombie (Z) is gone for us.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields?.[0] === 'Z' ? undefined : fields?.[19];
}
