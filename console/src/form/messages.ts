import { defineMessages } from '@/i18n/language'

export const useFormMessages = defineMessages(
  {
    notSet: 'Not set',
    choose: 'Choose…',
    onePerLine: 'One per line',
    notJson: 'This is not JSON.',
    goToLine: (line: number) => `Go to line ${line}`,
    keepSecret: (end: string) => `Set (…${end}); leave empty to keep it`,
    removeSecret: (end: string) => `Remove the one that ends in …${end}`,
    changedMeanwhile: 'Somebody else has changed this meanwhile',
    changedBy: 'By',
    noFieldChanged: 'None of the fields of this form is different.',
    changes: 'What was changed meanwhile',
    keepMine: 'Save mine over it',
    startAgain: 'Start from the new values',
  },
  {
    notSet: '未设置',
    choose: '请选择',
    onePerLine: '每行一个',
    notJson: '不是有效的 JSON。',
    goToLine: (line) => `跳到第 ${line} 行`,
    keepSecret: (end) => `已设置（…${end}），留空则保持不变`,
    removeSecret: (end) => `移除以 …${end} 结尾的密钥`,
    changedMeanwhile: '此项已被他人修改',
    changedBy: '修改者',
    noFieldChanged: '本表单中的字段没有变化。',
    changes: '他人的修改',
    keepMine: '仍保存我的修改',
    startAgain: '载入最新内容',
  },
)
