/** Takes everything of ours back from this machine's kernel, without an agent. */
import { charonFolder, kernelFolder, wireguardGoFolder } from '../../operator/agent/folders.ts';
import { forgetWishes } from '../../operator/agent/forget.ts';
import { type TakenBack, takeBack as takeBackFrom } from '../../operator/agent/take-back.ts';
import { systemClock } from '../../operator/clock.ts';
import { createDataplane } from '../../tunnels/create.ts';
import { hostSocketOf } from '../../tunnels/ipsec/chosen-daemon.ts';

/** @throws what `signal` aborted with */
export async function takeBack(options: {
  /** Of the agent: what it found, to put it back, and where the sockets of wireguard-go and charon are. */
  readonly stateDir: string;
  readonly runDir: string;
  readonly procSys: string;
  readonly signal: AbortSignal;
  readonly onWait: () => void;
}): Promise<TakenBack> {
  const { stateDir, runDir, procSys, signal, onWait } = options;
  const socketDir = wireguardGoFolder(runDir);
  const dataplane = await createDataplane({
    stateDir: kernelFolder(stateDir),
    userspace: 'auto',
    procSys,
    ipsec: { folder: charonFolder(runDir), vici: hostSocketOf(charonFolder(runDir)) },
    ...(socketDir === undefined ? {} : { socketDir }),
  });
  try {
    // It waits for silence, and a person for it: the process must not end meanwhile.
    const clock = { ...systemClock, after: keptAlive };
    const taken = await takeBackFrom(dataplane, { clock, signal, onWait });
    signal.throwIfAborted();
    // Else the next boot would shut a door, or bring up tunnels, that nobody wishes any more.
    if (taken.errors.length === 0) await forgetWishes(stateDir);
    return taken;
  } finally {
    await dataplane.close();
  }
}

function keptAlive(ms: number, callback: () => void): () => void {
  const timer = setTimeout(callback, ms);
  return () => clearTimeout(timer);
}
