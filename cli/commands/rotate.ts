import type { Register } from '../command.ts';
import { addRolloutOptions } from '../rollout/options.ts';
import type { RotateFlags } from '../rollout/rotate.ts';

const EXAMPLES = `
Examples:
  sheath rotate --wait                  change all keys, and wait until the old ones are gone
  sheath rotate --pass-over n7 --wait   do not wait for n7, which is dead

The new key of every node is brought up beside the old one, and each node moves
its traffic peer by peer; no packet is lost. The old keys are withdrawn when
nobody sends on them and they have been silent for spec.rotation.drain (180s),
so a rotation takes some minutes. While one is under way a second one waits for
its end (--wait), or is refused.

--pass-over lets what is under way go on without a Node that is dead, and begins
no other rotation then; where nothing waits it rotates without it. It is written
to spec.rotation.passOver and holds until --pass-over none: a Node in it that
comes back may lose packets when others rotate or switch off, and what is sent to
it meanwhile goes in clear (strict: is dropped).

Exit codes: 0 done (with --wait: the old keys are gone), 1 somebody holds it up,
2 wrong usage, 3 the API server does not answer.`;

export const register: Register = (command, context) => {
  addRolloutOptions(
    command.option(
      '--pass-over <node>',
      'a Node that nobody waits for, from now on; again for more; none: all are waited for again',
      (node: string, others: readonly string[] | undefined) => [...(others ?? []), node],
    ),
  )
    .addHelpText('after', EXAMPLES)
    .action(async (flags: RotateFlags) => {
      const { rotate } = await import('../rollout/rotate.ts');
      await rotate(flags, context);
    });
};
