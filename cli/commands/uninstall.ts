import type { Register } from '../command.ts';
import { addRolloutOptions } from '../rollout/options.ts';
import type { UninstallFlags } from '../rollout/uninstall.ts';
import { NAMESPACE } from '../sources/deployment.ts';

const EXAMPLES = `
Examples:
  sheath uninstall                switch off, wait for every node, delete
  sheath uninstall --force        delete although a node that is away still holds keys

Keys stay in the nodes' state folders (/var/lib/sheath), for nobody but root.
Exit codes: 0 done, 1 somebody still takes part and nothing was deleted,
2 wrong usage, 3 the API server does not answer.`;

export const register: Register = (command, context) => {
  addRolloutOptions(
    command
      .option('--namespace <name>', 'where it was installed', NAMESPACE)
      .option('--force', 'also when some nodes still take part'),
    { wait: false },
  )
    .addHelpText('after', EXAMPLES)
    .action(async (flags: UninstallFlags) => {
      const { uninstall } = await import('../rollout/uninstall.ts');
      await uninstall(flags, context);
    });
};
