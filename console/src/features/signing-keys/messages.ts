import { defineMessages } from '@/i18n/language'

export const useMessages = defineMessages(
  {
    title: 'Signing keys',
    description: 'They sign the tokens of services and the receipts of erasures, and change every month. Others verify with the public halves:',
    kid: 'Key ID (kid)',
    algorithm: 'Algorithm',
    current: 'signs',
    retired: 'verifies only',
    retiredAt: 'Last signature',
    rotate: 'Rotate now',
    rotateTitle: 'Rotate the signing key?',
    rotateHint: 'New tokens are signed with a new key. Tokens of the present one stay valid until they expire.',
    empty: 'No signing key yet',
    emptyHint: 'The first one is made with the first token or receipt.',
  },
  {
    title: '签名密钥',
    description: '用于签发服务令牌和数据删除回执，每月更换。其他人用公钥验证：',
    kid: '密钥 ID（kid）',
    algorithm: '算法',
    current: '用于签名',
    retired: '仅用于验证',
    retiredAt: '最后签名时间',
    rotate: '立即更换',
    rotateTitle: '更换签名密钥？',
    rotateHint: '新令牌用新密钥签名，旧密钥签发的令牌在过期前仍然有效。',
    empty: '还没有签名密钥',
    emptyHint: '签发第一个令牌或回执时自动创建。',
  },
)
