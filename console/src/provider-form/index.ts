export { ProviderForm } from './ProviderForm'
export { ProviderTest } from './ProviderTest'
