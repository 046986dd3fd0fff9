import type { Register } from '../command.ts';
import type { RolloutFlags } from '../rollout/options.ts';
import { addRolloutOptions } from '../rollout/options.ts';

const EXAMPLES = `
Examples:
  sheath disable --wait         and wait until every node is as it was
  sheath disable --yes          without being asked

From strict mode every node opens its door first and says so; nobody sends in
clear before all have. A node that is away holds that up; it is named, and a
person can pass over it: sheath rotate --pass-over NODE, or delete its Node.

Exit codes: 0 done (with --wait: no node holds keys), 1 somebody still does,
2 wrong usage, 3 the API server does not answer.`;

export const register: Register = (command, context) => {
  addRolloutOptions(command)
    .addHelpText('after', EXAMPLES)
    .action(async (flags: RolloutFlags) => {
      const { disable } = await import('../rollout/disable.ts');
      await disable(flags, context);
    });
};
