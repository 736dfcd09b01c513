import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { ApiError } from '@/api/request'
import { CurrentSession } from '@/api/session'
import { Skeleton } from '@/ui/Feedback'
import { Toasts } from '@/ui/Toasts'
import { TooltipProvider } from '@/ui/Tooltip'
import { LogIn } from './LogIn'
import { PasswordForm } from './PasswordForm'
import { router } from './router'
import { useLogin } from './useLogin'

const MAX_RETRIES = 2

const client = new QueryClient({
  defaultOptions: {
    // They hold secrets that are shown once, or were just written.
    mutations: { gcTime: 0 },
    queries: {
      staleTime: 5_000,
      // A refusal stays a refusal; what is overloaded or can't be reached may answer the next time.
      retry: (count, error) => count < MAX_RETRIES && error instanceof ApiError && (error.status === 0 || error.status === 503),
    },
  },
})

export function App() {
  const login = useLogin(client)
  return (
    <QueryClientProvider client={client}>
      <TooltipProvider>
        {login.state === 'loading' && <Skeleton lines={4} />}
        {login.state === 'loggedOut' && <LogIn error={login.error} onLogIn={login.logIn} />}
        {login.state === 'passwordChange' && <PasswordForm isRequired onChanged={login.refresh} />}
        {login.state === 'loggedIn' && (
          <CurrentSession value={login.context}>
            <RouterProvider router={router} key={login.context.tenant} />
          </CurrentSession>
        )}
        <Toasts />
      </TooltipProvider>
    </QueryClientProvider>
  )
}
