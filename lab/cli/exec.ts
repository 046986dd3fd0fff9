/** `sheath lab exec`: a command inside a node or a pod, with this terminal. */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { inNode, nodeNamed } from '../nodes/agents.ts';
import { openLab } from '../nodes/folder.ts';

/** Runs it and resolves with its exit code; 128 and the signal's number when a signal ended it. */
export async function execCommand(name: string, place: string, words: readonly string[]): Promise<number> {
  const command = words[0] === '--' ? words.slice(1) : words;
  const lab = await openLab(name);
  const pod = lab.topology.members.flatMap((node) => node.pods).find((one) => one.name === place);
  const [program = '', ...args] = pod
    ? ['ip', 'netns', 'exec', pod.netns, ...command]
    : inNode(lab, nodeNamed(lab, place), command);
  const child = spawn(program, args, { stdio: 'inherit' });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)));
  });
}
