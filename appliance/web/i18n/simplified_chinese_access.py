"""Simplified Chinese of logins, accounts and refusals, by English text."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

MESSAGES: Final[Mapping[str, str]] = MappingProxyType({
    "Log in": "登录",
    "Name": "用户名",
    "Password": "密码",
    "There is no account yet. Whoever may use a shell on the appliance gets a set-up code there:"
    " appliance user setup-code":
        "尚无账户。可在本设备命令行上获取设置码：appliance user setup-code",
    "Set up the first account": "设置第一个账户",
    "This account administers the appliance. The set-up code was shown in a shell on the appliance; it works once.":
        "此账户用于管理本设备。设置码已显示在设备的命令行中，只能使用一次。",
    "Set-up code": "设置码",
    "Make the account": "创建账户",
    "No set-up code is valid now. Get one in a shell on the appliance: appliance user setup-code":
        "当前没有有效的设置码。请在设备命令行上获取：appliance user setup-code",
    "New password, at least 10 characters": "新密码（至少 10 个字符）",
    "The new password once more": "再次输入新密码",
    "Your account": "您的账户",
    "The password is changed. Wherever else you were logged in, you are not any more.":
        "密码已更改，您在其他地方的登录均已失效。",
    "Present password": "当前密码",
    "Change the password": "更改密码",
    "Not for this account": "此账户无权访问",
    "Your role does not include this. An administrator of the appliance can give you another one.":
        "您的角色不包含此权限，请联系本设备的管理员。",
    "One moment": "请稍候",
    "Go on": "继续",
    "Too many attempts failed. The next one counts in {seconds} seconds.": "失败次数过多，请在 {seconds} 秒后重试。",
    "Too many people log in at this moment. Try again.": "当前登录人数过多，请重试。",
    "This browser has forgotten you, but the session could not be ended on the appliance.":
        "此浏览器已清除登录信息，但设备上的会话未能结束。",
    "Name or password is not right.": "用户名或密码不正确。",
    "This is not the set-up code, or it is used up.": "设置码不正确，或已被使用。",
    "The present password is not right.": "当前密码不正确。",
    "This account is closed.": "此账户已停用。",
    "There is an account of this name already.": "该用户名已存在。",
    "The two passwords are not the same.": "两次输入的密码不一致。",
    "A name has 1 to 64 letters, digits and . @ + - _, the first and last a letter or digit.":
        "用户名为 1 至 64 个字母、数字或 . @ + - _，首尾须为字母或数字。",
    "A password has 10 to 256 characters; a sentence is a good one.": "密码为 10 至 256 个字符，建议使用一句话。",
    "A password has at least 5 different characters.": "密码至少包含 5 个不同的字符。",
    "A password must not contain the account's name.": "密码不能包含用户名。",
})  # fmt: skip
