/** The version of Sphere and of what its programs say to each other. */
import packageJson from '../package.json' with { type: 'json' };

/** The version of this package, such as `0.1.0`. */
export const version: string = packageJson.version;

/**
 * The version of the builder's contract; a plane serves this one and the one before.
 * 2: the spec has environment values, which the builder masks in the log and searches the output for.
 */
export const builderContractVersion = 2;
