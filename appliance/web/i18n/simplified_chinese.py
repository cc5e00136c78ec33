"""Simplified Chinese, by English text."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

MESSAGES: Final[Mapping[str, str]] = MappingProxyType({
    "Studies": "检查列表",
    "Skip to the results": "跳到结果",
    "Patient name": "患者姓名",
    "Patient ID": "患者编号",
    "Accession number": "检查号",
    "From date": "起始日期",
    "To date": "截止日期",
    "Modality": "设备类型",
    "Search": "查询",
    "Clear": "清除",
    "Birth date": "出生日期",
    "Sex": "性别",
    "Study date": "检查日期",
    "Description": "描述",
    "Series": "序列",
    "Images": "图像",
    "State": "状态",
    "1 study": "共 1 个检查",
    "{count} studies": "共 {count} 个检查",
    "No study matches.": "没有符合条件的检查。",
    "Nothing has arrived yet. Send a study to this appliance and it appears here.":
        "尚未收到任何检查。向本设备发送检查后，将显示在这里。",
    "Previous page": "上一页",
    "Next page": "下一页",
    "Page {page} of {pages}": "第 {page} 页，共 {pages} 页",
    "held here": "本地已存",
    "{lost} of {total} lost on this box": "本机丢失 {lost}/{total}",
    "at the centre": "已存于中心",
    "{count} of {total} at the centre": "{count}/{total} 已存于中心",
    "{sent} of {total} sent to {sink}": "已发送 {sent}/{total} 至 {sink}",
    "all sent to {sink}": "已全部发送至 {sink}",
    "Study": "检查",
    "Back to the list": "返回列表",
    "Referring physician": "申请医生",
    "Number": "编号",
    "Body part": "检查部位",
    "Received": "接收时间",
    "Metadata": "元数据",
    "Download": "下载",
    "Download the study (ZIP)": "下载检查（ZIP）",
    "DICOMweb": "DICOMweb",
    "{entry} is no date; choose one, or write it as 2024-01-31.": "“{entry}”不是日期，请选择或写成 2024-01-31。",
    "The first date is later than the last.": "起始日期晚于截止日期。",
    "A field holds something that cannot be searched for.": "某个查询条件的内容无法用于查询。",
    "There is no page {page}.": "没有第 {page} 页。",
    "Go to the last page": "转到最后一页",
    "This study is not here": "此检查不在本设备上",
    "It may have another address, or it never arrived.": "地址可能有误，或尚未收到。",
    "Study details": "检查信息",
    "(no name)": "（无姓名）",
    "Study Instance UID": "检查实例 UID",
    "Keys: / to search, j and k to move, Enter for details, o for OHIF, v for the fallback viewer":
        "快捷键：/ 查询，j、k 上下移动，Enter 查看详情，o 打开 OHIF，v 打开备用浏览器",
})  # fmt: skip
