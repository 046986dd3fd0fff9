import type { Register } from '../command.ts';

export const register: Register = (command) => {
  command.usage('COMMAND [flags]');
};
