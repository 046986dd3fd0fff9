/** A module of its own, so that it can be loaded when it is needed: bundles keep the named exports of static imports only. */
export { parse as parseYaml } from 'yaml';
